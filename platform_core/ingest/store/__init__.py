"""All SQL of landing, one module for each concern."""
