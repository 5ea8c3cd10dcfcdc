"""core.sum_of: adds up a JSON array of numbers, for staging."""

from platform_core.warehouse.migrations.files import run_file

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the function."""
    run_file(__file__, "up")


def downgrade() -> None:
    """Drop what upgrade made."""
    run_file(__file__, "down")
