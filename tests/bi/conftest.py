"""A database with two tenants and dimensions for each module; each test puts in its own facts."""

from collections.abc import Iterator
from secrets import token_hex

import pytest

from tests.bi.plant import BiPlant, make_plant
from tests.conftest import Server


@pytest.fixture(scope="module")
def module_plant(server: Server) -> Iterator[BiPlant]:
    name = f"bi_{token_hex(6)}"
    server.clone(name)
    try:
        yield make_plant(server.warehouse(name, name))
    finally:
        server.drop(name)


@pytest.fixture
def plant(module_plant: BiPlant) -> BiPlant:
    """No facts yet."""
    module_plant.clear()
    return module_plant
