"""Places to run assets in: a database for each test, and one with everything up for a whole module."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import pytest
from pydantic import PostgresDsn

from platform_core.settings import Settings
from platform_core.tenants.service import create_tenant
from platform_core.warehouse.connection import Warehouse, transaction
from tests.conftest import Server
from tests.platform_assets.place import Place


@contextmanager
def opened(server: Server, home: Path) -> Generator[Place]:
    """A place with a fresh database, dropped at the end."""
    name = f"place_{token_hex(6)}"
    server.clone(name)
    server.create_empty(f"{name}_dagster")
    warehouse: Warehouse = server.warehouse(name, f"{name}_dagster")
    settings = Settings(
        home=home,
        database_url=PostgresDsn(warehouse.owner_url),
        api_database_url=PostgresDsn(warehouse.api_url),
        dagster_database_url=PostgresDsn(warehouse.dagster_url),
    )
    with transaction(warehouse) as connection:
        tenant = create_tenant(connection, "default", "Default", "Asia/Seoul")
    try:
        yield Place(settings, warehouse, tenant)
    finally:
        server.drop(name)
        server.drop(f"{name}_dagster")


@pytest.fixture
def place(server: Server, tmp_path: Path) -> Generator[Place]:
    """A place of the test's own."""
    with opened(server, tmp_path / "takt") as made:
        yield made
