"""core.rejected_record: the key and version of a rejected row, so that a newer sound one takes it off the list."""

from platform_core.warehouse.migrations.files import run_file

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, the status and the index."""
    run_file(__file__, "up")


def downgrade() -> None:
    """Drop what upgrade made."""
    run_file(__file__, "down")
