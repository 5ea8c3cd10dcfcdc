"""The assets: raw records, models, operations."""
