"""One database for all cases: each runs in temporary tables of a transaction that is rolled back."""

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from dbt_like_sql.project import Project, load_project


@pytest.fixture(scope="module")
def cases_connection() -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(os.environ["TAKT_CASES_URL"]) as conn:
        yield conn
        conn.rollback()


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project()
