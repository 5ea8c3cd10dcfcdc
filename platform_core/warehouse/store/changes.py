"""On which dates of a reader a change of a dimension shows: those with a row that carries a changed key."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from sqlglot import exp

from dbt_like_sql.compile import parse_query
from dbt_like_sql.contracts import Model
from platform_core.warehouse.contracts import UNDATED
from platform_core.warehouse.store.partitions import identifier

# Both ways: rows that came and rows that went. The old ones are still in the table, in the same transaction.
CHANGED = """
with gone as (select {read} from {table} where {of_tenant} except select {read} from {candidate} where {of_tenant}),
come as (select {read} from {candidate} where {of_tenant} except select {read} from {table} where {of_tenant}),
changed as (select * from gone union select * from come)
"""
ANY_CHANGE = "{changed} select exists (select from changed)"
SHARED_KEYS = """{changed}
select distinct reader.date
from {reader} as reader
where reader.tenant_id = %(tenant)s and exists (select from changed where {same} and {since})
union
select date from core.partition_state
where tenant_id = %(tenant)s and model = %(reader)s and state = 'failed' and exists (select from changed)
"""
NO_SHARED_KEYS = """{changed}
select date from core.partition_state as reader
where tenant_id = %(tenant)s and model = %(reader)s and exists (select from changed where {since})
"""
SINCE = "(changed.valid_from is null or changed.valid_from <= reader.date)"
SAME = "reader.{column} is not distinct from changed.{column}"
OF_TENANT = "tenant_id = %(tenant)s"


def dates(conn: psycopg.Connection, dimension: Model, reader: Model, candidate: str, tenant: UUID) -> list[date]:
    """The dates to make anew of a model that reads a dimension, whose new rows are in `candidate`, for one tenant.

    Only columns that the reader's SELECT names count. For a reader without dates: UNDATED, if anything changed at all.
    """
    columns = [column.name for column in dimension.spec.columns]
    named = {column.name for column in parse_query(reader.sql).find_all(exp.Column)}
    read = [name for name in columns if name in named or name in dimension.spec.grain]
    has_tenant = "tenant_id" in columns
    changed = sql.SQL(CHANGED).format(
        read=_names(read),
        table=identifier(dimension.relation),
        candidate=identifier(candidate),
        of_tenant=sql.SQL(OF_TENANT if has_tenant else "true"),
    )
    parts: dict[str, sql.Composable] = {"changed": changed}
    values: dict[str, Any] = {"tenant": tenant, "reader": reader.relation}
    if not reader.is_dated:
        row = conn.execute(sql.SQL(ANY_CHANGE).format(**parts), values).fetchone()
        return [UNDATED] if row and row[0] else []
    carried = {column.name for column in reader.spec.columns}
    keys = [name for name in dimension.spec.grain if name in carried and name not in ("tenant_id", "date")]
    parts["since"] = sql.SQL(SINCE if "valid_from" in columns else "true")
    if not has_tenant or not keys:
        rows = conn.execute(sql.SQL(NO_SHARED_KEYS).format(**parts), values)
    else:
        parts["reader"] = identifier(reader.relation)
        parts["same"] = sql.SQL(" and ").join(sql.SQL(SAME).format(column=sql.Identifier(name)) for name in keys)
        rows = conn.execute(sql.SQL(SHARED_KEYS).format(**parts), values)
    return sorted(day for (day,) in rows)


def _names(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
