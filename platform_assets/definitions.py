"""What `dagster dev`, `dg` and the code server load: everything that Dagster knows of this installation."""

from platform_assets.location import build_definitions

defs = build_definitions()
