"""A warehouse with the small models of this folder, copied for each test."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from shutil import copytree

import pytest

from dbt_like_sql.project import load_project
from platform_core.warehouse.connection import transaction
from platform_core.warehouse.ddl import apply_project
from platform_core.warehouse.migrate import upgrade
from tests.conftest import Server
from tests.warehouse.small import MODELS, SmallFactory, tenants


@pytest.fixture(scope="session")
def small_server(server: Server) -> Iterator[Server]:
    """The server, with a template that has only the small models."""
    name = f"small_{token_hex(4)}"
    server.create_empty(name)
    warehouse = server.warehouse(name, name)
    upgrade(warehouse)
    apply_project(warehouse, load_project(MODELS))
    yield replace(server, template=name)
    server.drop(name)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A copy of the small models that a test may change."""
    return copytree(MODELS, tmp_path / "models")


@pytest.fixture
def factory(small_server: Server) -> Iterator[SmallFactory]:
    """The small models on a database of the test's own, with two tenants and no records."""
    name = f"small_{token_hex(6)}"
    small_server.clone(name)
    warehouse = small_server.warehouse(name, name)
    try:
        with transaction(warehouse) as conn:
            one, other = tenants(conn)
        yield SmallFactory(warehouse, load_project(MODELS), one, other)
    finally:
        small_server.drop(name)
