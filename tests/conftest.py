"""Fixtures on a real PostgreSQL: one embedded server for the whole run, one fresh database for each test."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import hypothesis
import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from pydantic import PostgresDsn

from dbt_like_sql.project import load_project
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.tenants.service import create_tenant
from platform_core.warehouse import embedded
from platform_core.warehouse.connection import Warehouse, open_warehouse, transaction
from platform_core.warehouse.ddl import apply_project
from platform_core.warehouse.migrate import upgrade

# A loaded machine is slow, which says nothing about the code.
hypothesis.settings.register_profile("takt", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("takt")

# Nobody pulls the plug on a test: waiting for the disk at every commit would only cost time. Tests of crashes use a
# server of their own with the settings that users get.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "128MB"}


LONG = ("readme/test_readme.py", "platform_assets/test_up.py", "end_to_end/test_properties.py", "install/test_wheel.py")
"""Files that take a minute and more: begun last, one of them would keep a single process busy at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first, everything else in its order."""
    items.sort(key=lambda item: not item.path.as_posix().endswith(LONG))


@dataclass(frozen=True)
class Server:
    """The run's embedded server, and the database that each test's own is copied from."""

    settings: Settings
    embedded: embedded.EmbeddedServer
    template: str

    def clone(self, name: str) -> None:
        """Make a database like the template."""
        self._admin(
            SQL("create database {} template {} owner takt_owner").format(Identifier(name), Identifier(self.template))
        )
        self._admin(SQL("revoke all on database {} from public").format(Identifier(name)))
        self._admin(SQL("grant connect on database {} to takt_api").format(Identifier(name)))

    def create_empty(self, name: str) -> None:
        """Make a database with nothing in it."""
        self._admin(SQL("create database {} owner takt_owner").format(Identifier(name)))

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        self._admin(SQL("drop database if exists {} with (force)").format(Identifier(name)))

    def warehouse(self, database: str, dagster: str) -> Warehouse:
        """Where a database is."""
        return Warehouse(
            owner_url=self.embedded.url("takt_owner", database),
            api_url=self.embedded.url("takt_api", database),
            dagster_url=self.embedded.url("takt_owner", dagster),
        )

    def _admin(self, statement: object) -> None:
        with psycopg.connect(self.embedded.admin_url, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]


def make_home() -> Path:
    """A new TAKT_HOME that the server's account can reach when the tests run as root (tmp_path is closed to it)."""
    home = Path(tempfile.mkdtemp(prefix="takt-test-"))
    home.chmod(0o711 if os.geteuid() == 0 else 0o700)
    return home


def remove_home(settings: Settings) -> None:
    """Stop the server of a home and remove everything that it left."""
    embedded.stop(settings)
    known = embedded.remembered(settings)
    if known is not None:
        shutil.rmtree(known.state.folder)
    shutil.rmtree(settings.home, ignore_errors=True)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """An embedded server in a temporary home, never the user's, with a template database that has every table."""
    settings = Settings(home=make_home(), database_url=None, api_database_url=None, dagster_database_url=None)
    try:
        running = embedded.start(settings, overrides=FAST)
        base = open_warehouse(settings)
        upgrade(base)
        apply_project(base, load_project())
        yield Server(settings, running, "takt")
    finally:
        remove_home(settings)


@pytest.fixture
def warehouse(server: Server) -> Iterator[Warehouse]:
    """A fresh database with all tables and no rows, and an empty one beside it for Dagster."""
    name = f"test_{token_hex(6)}"
    dagster = f"{name}_dagster"
    server.clone(name)
    server.create_empty(dagster)
    try:
        yield server.warehouse(name, dagster)
    finally:
        server.drop(name)
        server.drop(dagster)


@pytest.fixture
def settings(warehouse: Warehouse, tmp_path: Path) -> Settings:
    """Settings that lead to the test's database, with a TAKT_HOME of the test's own."""
    return Settings(
        home=tmp_path / "takt",
        database_url=PostgresDsn(warehouse.owner_url),
        api_database_url=PostgresDsn(warehouse.api_url),
        dagster_database_url=PostgresDsn(warehouse.dagster_url),
    )


@pytest.fixture
def tenant(warehouse: Warehouse) -> Tenant:
    """The default tenant, in Seoul."""
    with transaction(warehouse) as connection:
        return create_tenant(connection, "default", "Default", "Asia/Seoul")


@pytest.fixture
def other_tenant(warehouse: Warehouse) -> Tenant:
    """A second tenant, in another zone, whose rows must never show."""
    with transaction(warehouse) as connection:
        return create_tenant(connection, "other", "Other", "Europe/Berlin")
