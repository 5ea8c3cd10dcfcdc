"""Revisions are written in SQL files; this runs one."""

from pathlib import Path

from alembic import op


def run_file(revision_file: str, direction: str) -> None:
    """Run `<name>.<direction>.sql` beside the revision's own .py file, as one multi-statement script."""
    path = Path(revision_file).with_suffix(f".{direction}.sql")
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError(f"{path.name} has no connection to run on")
    connection.execute(path.read_bytes())
