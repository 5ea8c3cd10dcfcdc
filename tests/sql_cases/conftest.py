"""One database for all cases: each runs in temporary tables of a transaction that is rolled back."""

from collections.abc import Iterator
from secrets import token_hex
from typing import Any

import psycopg
import pytest

from dbt_like_sql.project import Project, load_project
from tests.conftest import Server


@pytest.fixture(scope="module")
def cases_connection(server: Server) -> Iterator[psycopg.Connection[Any]]:
    name = f"cases_{token_hex(6)}"
    server.clone(name)
    try:
        with psycopg.connect(server.warehouse(name, name).owner_url) as conn:
            yield conn
            conn.rollback()
    finally:
        server.drop(name)


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project()
