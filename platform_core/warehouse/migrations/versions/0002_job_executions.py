"""bi.etl_job_executions: runs that failed, and which revision the API finds."""

from platform_core.warehouse.migrations.files import run_file

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and let the API see the revision, so that it can say that it is not ready."""
    run_file(__file__, "up")


def downgrade() -> None:
    """Drop what upgrade made."""
    run_file(__file__, "down")
