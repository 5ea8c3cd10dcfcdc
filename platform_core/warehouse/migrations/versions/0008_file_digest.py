"""Loads know the bytes that they read and the moment at which those came."""

from platform_core.warehouse.migrations.files import run_file

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and their index."""
    run_file(__file__, "up")


def downgrade() -> None:
    """Drop what upgrade made."""
    run_file(__file__, "down")
