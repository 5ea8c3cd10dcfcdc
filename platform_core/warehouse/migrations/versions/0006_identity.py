"""Who may do what: users, keys, clients, tokens and providers of sign-in, which the API's role cannot read."""

from platform_core.warehouse.migrations.files import run_file

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of identity."""
    run_file(__file__, "up")


def downgrade() -> None:
    """Drop what upgrade made."""
    run_file(__file__, "down")
