"""From a request and what is published to a plan; pure: time and state are given, no SQL is written here."""
