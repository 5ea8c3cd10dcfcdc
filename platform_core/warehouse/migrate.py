"""Brings the tables of schemas core, bi and audit to the newest revision, or back to an older one."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from platform_core.warehouse.connection import Warehouse, autocommit, transaction
from platform_core.warehouse.errors import MigrationError
from platform_core.warehouse.store import migrations as sql

if TYPE_CHECKING:
    from alembic.config import Config

_FOLDER = Path(__file__).parent / "migrations"


def head() -> str:
    """The newest revision: revisions are numbered, so it is the highest file name."""
    return max(path.name[:4] for path in (_FOLDER / "versions").glob("[0-9][0-9][0-9][0-9]_*.py"))


def current(warehouse: Warehouse) -> str | None:
    """The revision that the database is at, None for an empty one."""
    with transaction(warehouse, read_only=True) as connection:
        exists = connection.execute(sql.TABLE_EXISTS).fetchone()
        if not exists or not exists[0]:
            return None
        row = connection.execute(sql.CURRENT).fetchone()
        return row[0] if row else None


def upgrade(warehouse: Warehouse) -> bool:
    """Bring the database to head(); False when it was there. Callers at the same time wait for one another."""
    found = current(warehouse)
    if found == head():
        return False
    if found is not None and found > head():
        raise MigrationError(
            f"The database is at revision {found}, this version of Takt knows {head()} as the newest.",
            hint="Install the newer version of Takt that this database was used with.",
        )
    from alembic import command

    with _configured(warehouse) as config:
        command.upgrade(config, "head")
    return True


def downgrade(warehouse: Warehouse, to: str) -> None:
    """Take the database back to revision `to` (`base`: nothing left). Roles and databases always stay."""
    from alembic import command

    with _configured(warehouse) as config:
        command.downgrade(config, to)


@contextmanager
def _configured(warehouse: Warehouse) -> "Generator[Config]":
    """Alembic's configuration around one transaction, under the lock that keeps others from migrating."""
    from alembic.config import Config
    from alembic.util import CommandError
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    engine = create_engine(warehouse.owner_url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=NullPool)
    with autocommit(warehouse) as guard:
        guard.execute(sql.LOCK)
        try:
            with engine.begin() as connection:
                config.attributes["connection"] = connection
                yield config
        except (CommandError, SQLAlchemyError, psycopg.Error) as error:
            raise MigrationError(
                f"A migration failed, and the database is as it was before: {error}",
                hint="`takt doctor` shows the revision that the database is at.",
            ) from error
