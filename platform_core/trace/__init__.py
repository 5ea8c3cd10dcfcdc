"""Follows a number back to the records it came from, by the SQL that made it."""
