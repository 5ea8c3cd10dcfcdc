"""Rows in every table of the warehouse, made from the catalogue alone, so that a table of tomorrow is covered too."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import uuid5

import psycopg
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb

from platform_core.tenants.contracts import Tenant

SCHEMAS = ("core", "staging", "bi", "audit", "scratch")
DAY = date(2026, 3, 2)
MOMENT = "2026-03-02T09:00:00+09:00"

# Of each kind: tables t, partitioned tables p and their partitions, views v, materialized views m, foreign tables f.
RELATIONS = """
    select n.nspname || '.' || c.relname as name, c.relkind::text as kind, c.relispartition as is_partition
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = any(%(schemas)s) and c.relkind in ('r', 'p', 'v', 'm', 'f') order by 1
"""
COLUMNS = """
    select a.attname as name, format_type(a.atttypid, null) as type, a.attnotnull as not_null
    from pg_attribute a where a.attrelid = %(relation)s::regclass and a.attnum > 0 and not a.attisdropped
        and a.attgenerated = '' and a.attidentity = '' order by a.attnum
"""
# Checks and references say which values are sensible; who may see a row must not depend on that.
CONSTRAINTS = """
    select conrelid::regclass::text as relation, conname as name from pg_constraint
    where contype in ('c', 'f') and conparentid = 0 and conrelid <> 0
        and connamespace in (select oid from pg_namespace where nspname = any(%(schemas)s))
"""


@dataclass(frozen=True)
class Relation:
    """A relation of the catalogue; `kind` as in pg_class.relkind."""

    name: str
    kind: str
    is_partition: bool

    @property
    def identifier(self) -> Identifier:
        """The name, quoted."""
        return Identifier(*self.name.split(".", 1))


def relations(connection: psycopg.Connection) -> list[Relation]:
    """Every relation of our schemas."""
    rows = connection.cursor(row_factory=dict_row).execute(RELATIONS, {"schemas": list(SCHEMAS)})
    return [Relation(**row) for row in rows]


def loosen(connection: psycopg.Connection) -> None:
    """Drop checks and references, and give each partitioned table a partition for the day that we plant."""
    cursor = connection.cursor(row_factory=dict_row)
    for row in cursor.execute(CONSTRAINTS, {"schemas": list(SCHEMAS)}).fetchall():
        drop = SQL("alter table {} drop constraint if exists {}")
        connection.execute(drop.format(Identifier(*row["relation"].split(".", 1)), Identifier(row["name"])))


def plant(connection: psycopg.Connection, tenant: Tenant, line: str | None) -> None:
    """Insert one row for the tenant (and line, in tables that have lines) into every table that has tenants."""
    for relation in relations(connection):
        if relation.kind not in ("r", "p") or relation.is_partition:
            continue
        columns = connection.cursor(row_factory=dict_row).execute(COLUMNS, {"relation": relation.name}).fetchall()
        names = {column["name"]: column["not_null"] for column in columns}
        if "tenant_id" not in names or (line is None and names.get("line_code")):
            continue
        for record_type in ("work_order", "order", "inventory") if "record_type" in names else ("",):
            values = {column["name"]: _value(column, tenant, line, record_type) for column in columns}
            insert = SQL("insert into {} ({}) values ({}) on conflict do nothing").format(
                relation.identifier,
                SQL(", ").join(map(Identifier, values)),
                SQL(", ").join(SQL("%s") for _ in values),
            )
            connection.execute(insert, list(values.values()))


def refresh(connection: psycopg.Connection) -> None:
    """Refresh every materialized view."""
    for relation in relations(connection):
        if relation.kind == "m":
            connection.execute(SQL("refresh materialized view {}").format(relation.identifier))


def _value(column: dict[str, Any], tenant: Tenant, line: str | None, record_type: str) -> object:
    """A value that fits the type and, where it can, tells tenant and line."""
    name, kind = column["name"], column["type"]
    marker = f"{tenant.slug}/{line}/{record_type}"
    special = {"tenant_id": tenant.id, "line_code": line, "record_type": record_type, "valid_from": DAY}
    if name in special:
        return special[name]
    if name == "timezone":
        return tenant.timezone
    by_type: dict[str, object] = {
        "uuid": _uuid_of(tenant, line, record_type),
        "jsonb": Jsonb({"line_code": line, "quoted": marker}),
        "boolean": True,
        "date": DAY,
        "bytea": marker.encode(),
        "timestamp with time zone": MOMENT,
        "timestamp without time zone": "2026-03-02T09:00:00",
        "time without time zone": "08:00",
        "text[]": [marker],
    }
    if kind in by_type:
        return by_type[kind]
    return marker if kind in ("text", "name") else 1


def _uuid_of(tenant: Tenant, line: str | None, record_type: str) -> str:
    """A key of its own for each planted row, the same at every call."""
    return str(uuid5(tenant.id, f"{line}/{record_type}"))
