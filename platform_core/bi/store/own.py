"""SQL of tenants' own metrics. Written as the owner, so every statement carries the tenant itself."""

from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

# One change at a time for each tenant, as a metric is checked against all the others.
LOCK = "select pg_advisory_xact_lock(hashtextextended('takt.tenant_metric ' || %(tenant)s::text, 0))"
# Served by the primary key (tenant_id, name, version).
CURRENT = """
select distinct on (name) name, version, definition, author, created_at
from core.tenant_metric where tenant_id = %(tenant)s
order by name, version desc
"""
HISTORY = """
select name, version, definition, author, created_at
from core.tenant_metric where tenant_id = %(tenant)s and name = %(name)s
order by version
"""
INSERT = """
insert into core.tenant_metric (tenant_id, name, version, definition, author)
values (%(tenant)s, %(name)s, %(version)s, %(definition)s, %(author)s)
returning created_at
"""


def lock(conn: psycopg.Connection, tenant: UUID) -> None:
    """Wait for whoever else changes the tenant's metrics, until the transaction ends."""
    conn.execute(LOCK, {"tenant": tenant})


def current(conn: psycopg.Connection, tenant: UUID) -> list[dict[str, Any]]:
    """The newest version of each metric, removed ones (without a definition) too."""
    return conn.cursor(row_factory=dict_row).execute(CURRENT, {"tenant": tenant}).fetchall()


def history(conn: psycopg.Connection, tenant: UUID, name: str) -> list[dict[str, Any]]:
    """Every version of a metric, oldest first."""
    return conn.cursor(row_factory=dict_row).execute(HISTORY, {"tenant": tenant, "name": name}).fetchall()


def insert(
    conn: psycopg.Connection, tenant: UUID, name: str, version: int, definition: dict[str, Any] | None, author: str
) -> dict[str, Any]:
    """Add a version."""
    given = Jsonb(definition) if definition is not None else None
    values = {"tenant": tenant, "name": name, "version": version, "definition": given, "author": author}
    row = conn.execute(INSERT, values).fetchone()
    return {
        "name": name, "version": version, "definition": definition, "author": author, "created_at": row and row[0]
    }  # fmt: skip
