"""All SQL that builds, publishes, checks and keeps the warehouse's tables, one module for each concern."""
