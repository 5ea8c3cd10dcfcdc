"""core.rejected_record: what retrying a rejected line needs."""

from platform_core.warehouse.migrations.files import run_file

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the index."""
    run_file(__file__, "up")


def downgrade() -> None:
    """Drop what upgrade made."""
    run_file(__file__, "down")
