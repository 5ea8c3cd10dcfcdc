"""SQL that puts a whole partition in the place of another, instead of copying its rows."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from dbt_like_sql.compile import to_psycopg
from dbt_like_sql.contracts import Model
from platform_core.warehouse.store.catalog import trusted
from platform_core.warehouse.store.partitions import Period, existing, identifier, split

EXPLAIN = "explain (format json) {query}"
# Published rows of other dates would go with the partition.
OTHERS = """
select exists (
    select from core.partition_state
    where model = %(model)s and date >= %(first)s and date < %(end)s and rows > 0 and not date = any(%(dates)s)
)
"""
FITS = "takt_fits"
DRESS = "alter table {table} {not_null}, add constraint takt_fits check (date >= {first} and date < {end})"
SET_NOT_NULL = "alter {column} set not null"
COUNT = "select count(*) from {table}"
# DETACH wants the parent for itself: rather copy than make its readers queue behind a long one.
LOCK_TIMEOUT = "set local lock_timeout = '2s'"
DETACH = "alter table {parent} detach partition {child}"
DROP = "drop table {child}"
MOVE = "alter table {table} set schema {schema}"
RENAME = "alter table {moved} rename to {name}"
SECURE = "alter table {child} enable row level security"
ATTACH = "alter table {parent} attach partition {child} for values from ({first}) to ({end})"
UNDRESS = "alter table {child} drop constraint takt_fits"


def expected_rows(conn: psycopg.Connection, model: Model, parameters: Mapping[str, Any]) -> int:
    """How many rows PostgreSQL expects of the model's SELECT; 0 for one that it refuses, as running it will tell."""
    statement = sql.SQL(EXPLAIN).format(query=trusted(to_psycopg(model.sql.rstrip().rstrip(";"))))
    try:
        with conn.transaction(), psycopg.ClientCursor(conn) as cursor:
            row = cursor.execute(statement, parameters).fetchone()
    except (psycopg.ProgrammingError, psycopg.DataError, psycopg.NotSupportedError):
        return 0
    return int(row[0][0]["Plan"]["Plan Rows"]) if row else 0


def holds_others(conn: psycopg.Connection, model: str, period: Period, dates: Sequence[date]) -> bool:
    """Whether the partition has published rows of dates other than those given."""
    values = {"model": model, "first": period.first, "end": period.end, "dates": list(dates)}
    row = conn.execute(OTHERS, values).fetchone()
    return bool(row and row[0])


def dress(conn: psycopg.Connection, table: str, not_null: Sequence[str], period: Period) -> None:
    """Give the table what a partition needs, in one reading: columns that are never null, and only its dates."""
    columns = [sql.SQL(SET_NOT_NULL).format(column=sql.Identifier(name)) for name in not_null]
    conn.execute(
        sql.SQL(DRESS).format(table=identifier(table), not_null=sql.SQL(", ").join(columns), **_bounds(period))
    )


def count(conn: psycopg.Connection, table: str) -> int:
    """Rows of the table."""
    row = conn.execute(sql.SQL(COUNT).format(table=identifier(table))).fetchone()
    return row[0] if row else 0


def exchange(conn: psycopg.Connection, relation: str, table: str, period: Period) -> None:
    """Put the dressed table in the place of the relation's partition; raises LockNotAvailable after 2 s of waiting."""
    schema, name = split(relation)
    child = f"{name}_{period.suffix}"
    parent, partition = identifier(relation), sql.Identifier(schema, child)
    conn.execute(LOCK_TIMEOUT)
    if child in existing(conn, relation):
        conn.execute(sql.SQL(DETACH).format(parent=parent, child=partition))
        conn.execute(sql.SQL(DROP).format(child=partition))
    conn.execute(sql.SQL(MOVE).format(table=identifier(table), schema=sql.Identifier(schema)))
    moved = sql.Identifier(schema, split(table)[1])
    conn.execute(sql.SQL(RENAME).format(moved=moved, name=sql.Identifier(child)))
    conn.execute(sql.SQL(SECURE).format(child=partition))
    conn.execute(sql.SQL(ATTACH).format(parent=parent, child=partition, **_bounds(period)))
    conn.execute(sql.SQL(UNDRESS).format(child=partition))


def _bounds(period: Period) -> dict[str, sql.Literal]:
    return {"first": sql.Literal(period.first), "end": sql.Literal(period.end)}
