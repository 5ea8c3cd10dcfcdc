"""Tenants: whose data it is. Each has an id, a slug for people and paths, and a time zone for its plants."""
