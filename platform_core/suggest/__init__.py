"""Proposals for master data that is missing or wrong, with the evidence, for a person to accept."""
