"""Schemas core, staging, bi, audit and scratch; tenants, loads, records, states of models; row security."""

from platform_core.warehouse.migrations.files import run_file

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make everything."""
    run_file(__file__, "up")


def downgrade() -> None:
    """Drop everything that upgrade made; the roles stay."""
    run_file(__file__, "down")
