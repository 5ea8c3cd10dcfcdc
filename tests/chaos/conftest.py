"""A home of its own for each long proof, with the server settings that users get."""

from collections.abc import Iterator

import pytest

from platform_core.settings import Settings
from platform_core.warehouse.connection import Warehouse
from platform_core.warehouse.setup import prepare
from tests.conftest import make_home, remove_home


@pytest.fixture
def home() -> Iterator[Settings]:
    """Settings of a new home; its server is stopped and removed at the end."""
    settings = Settings(home=make_home(), database_url=None, api_database_url=None, dagster_database_url=None)
    try:
        yield settings
    finally:
        remove_home(settings)


@pytest.fixture
def durable(home: Settings) -> Warehouse:
    """A prepared warehouse on an embedded server with the durability that users get."""
    return prepare(home)
