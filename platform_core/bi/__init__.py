"""Numbers asked for by name: planned over what is published, run as the API role, answered with their trust."""
