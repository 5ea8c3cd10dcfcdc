"""All SQL of the trace.

It reads as the owner, because nobody else may read staging, and row security does not bind the owner. So every
statement that reads rows of tenants carries the tenant itself, and for those built here one function puts it there.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, LiteralString, cast
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

Row = dict[str, Any]

# Served by the primary key of each model (tenant and grain), and erp_mes_data_identity_idx for records.
_SOURCES = """
select made."__n", found.*
from jsonb_to_recordset(%(made)s) as made({made_columns})
cross join lateral (
    select source.*, {more} count(*) over () as "__total"
    from {relation} as source {join}
    where {conditions}
    order by {order}
    limit %(limit)s
) as found
order by made."__n"
"""
_ROWS = """
select source.*, count(*) over () as "__total"
from {relation} as source
where {conditions}
order by {order}
limit %(limit)s
"""
_EXTENT = "select min(source.date), max(source.date) from {relation} as source where {conditions}"
_VERSIONS = """
select record.*, load.source_name
from jsonb_to_recordset(%(identities)s) as wanted(record_type text, source_system text, source_pk text)
inner join core.erp_mes_data as record using (record_type, source_system, source_pk)
left join core.load as load on load.id = record.load_id and load.tenant_id = record.tenant_id
where record.tenant_id = %(tenant)s
order by record.is_current desc, record.source_version desc, record.received_at desc, record.source_row desc
"""
# For views that filter by the session's tenant themselves.
_SET_TENANT = "select set_config('takt.tenant', %(tenant)s, true)"
_ARCHIVES = "select first_date, last_date, archive_file from core.archived_partition where attached_at is null"
_STATES = """
select date, state.state, state.reason, dirty.reason as dirty_because
from (
    select tenant_id, model, date, state, reason from core.partition_state
    where tenant_id = %(tenant)s and model = %(model)s and date = any(%(dates)s)
) as state
full join (
    select tenant_id, model, date, reason from core.dirty_partition
    where tenant_id = %(tenant)s and model = %(model)s and date = any(%(dates)s)
) as dirty using (tenant_id, model, date)
where state.state = 'failed' or dirty.reason is not null
order by date
"""
_LOAD = "left join core.load as load on load.id = source.load_id and load.tenant_id = source.tenant_id"
RAW = frozenset({"core.erp_mes_data", "core.master_record"})


@dataclass(frozen=True)
class Relation:
    """A relation to read: its name, its columns with their types, the order of its rows, whether it knows tenants."""

    name: str
    types: Mapping[str, str]
    order: Sequence[str]
    has_tenant: bool


def begin(conn: psycopg.Connection, tenant: UUID) -> None:
    """Make everything that follows one snapshot of one tenant; before any other statement."""
    conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    conn.execute(_SET_TENANT, {"tenant": str(tenant)})


def rows(
    conn: psycopg.Connection, relation: Relation, tenant: UUID, where: Mapping[str, str], limit: int
) -> tuple[list[Row], int]:
    """The first `limit` rows that have these values (as text), and how many there are.

    Raises psycopg.DataError when a value is not of its column's type.
    """
    conditions = [
        sql.SQL("source.{name} = {value}::{type}").format(
            name=sql.Identifier(name),
            value=sql.Placeholder(f"v{index}"),
            type=sql.SQL(_trusted(relation.types[name])),
        )
        for index, name in enumerate(where)
    ]
    statement = sql.SQL(_ROWS).format(
        relation=_identifier(relation.name), conditions=_of_tenant(relation, conditions), order=_order(relation)
    )
    values = {f"v{index}": value for index, value in enumerate(where.values())}
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(statement, {**values, "tenant": tenant, "limit": limit}).fetchall()
    return _counted(found)


def sources(
    conn: psycopg.Connection,
    relation: Relation,
    tenant: UUID,
    made: Sequence[Row],
    made_types: Mapping[str, str],
    conditions: Sequence[str],
    limit: int,
) -> list[tuple[list[Row], int]]:
    """For each of `made`, the first `limit` rows of the relation that meet the conditions with it, and how many do.

    `conditions` are predicates from the models' SQL over the aliases `made` and `source`. Rows of raw relations carry
    `source_name` too.
    """
    is_raw = relation.name in RAW
    columns = [sql.SQL('"__n" integer')]
    columns += [
        sql.SQL("{name} {type}").format(name=sql.Identifier(name), type=sql.SQL(_trusted(kind)))
        for name, kind in made_types.items()
    ]
    parts = [sql.SQL(_trusted(f"({condition.replace('%', '%%')})")) for condition in conditions]
    statement = sql.SQL(_SOURCES).format(
        made_columns=sql.SQL(", ").join(columns),
        relation=_identifier(relation.name),
        more=sql.SQL("load.source_name," if is_raw else ""),
        join=sql.SQL(_LOAD if is_raw else ""),
        conditions=_of_tenant(relation, parts),
        order=_order(relation),
    )
    given = [{"__n": n, **{name: row[name] for name in made_types}} for n, row in enumerate(made)]
    payload = json.dumps(given, default=str)
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(statement, {"made": payload, "tenant": tenant, "limit": limit}).fetchall()
    grouped: list[list[Row]] = [list[Row]() for _ in made]
    for row in found:
        grouped[int(row.pop("__n"))].append(row)
    return [_counted(group) for group in grouped]


def versions(conn: psycopg.Connection, tenant: UUID, identities: Sequence[Mapping[str, str]]) -> list[Row]:
    """Every version of the records, the current one first, then newest first."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_VERSIONS, {"identities": json.dumps(identities), "tenant": tenant}).fetchall()


def archives(conn: psycopg.Connection) -> list[tuple[date, date, str]]:
    """First and last date, both inclusive, and file of each archive that is not attached."""
    return conn.execute(_ARCHIVES).fetchall()


def states(conn: psycopg.Connection, tenant: UUID, relation: str, dates: Sequence[date]) -> list[Row]:
    """Those of the dates that failed their last check or wait to be made anew."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_STATES, {"tenant": tenant, "model": relation, "dates": list(dates)}).fetchall()


def extent(conn: psycopg.Connection, relation: Relation, tenant: UUID) -> tuple[date | None, date | None]:
    """First and last date of the tenant's rows."""
    statement = sql.SQL(_EXTENT).format(relation=_identifier(relation.name), conditions=_of_tenant(relation, []))
    found = conn.execute(statement, {"tenant": tenant}).fetchone()
    return found if found is not None else (None, None)


def _of_tenant(relation: Relation, conditions: Sequence[sql.Composable]) -> sql.Composed:
    """All conditions, and that the row is the tenant's: the one place that keeps tenants apart."""
    mine = sql.SQL("source.tenant_id = %(tenant)s" if relation.has_tenant else "true")
    return sql.SQL(" and ").join([*conditions, mine])


def _order(relation: Relation) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL("source.{}").format(sql.Identifier(name)) for name in relation.order)


def _identifier(relation: str) -> sql.Identifier:
    return sql.Identifier(*relation.split(".", 1))


def _counted(found: list[Row]) -> tuple[list[Row], int]:
    total = found[0]["__total"] if found else 0
    for row in found:
        del row["__total"]
    return found, total


def _trusted(text: str) -> LiteralString:
    """SQL made from the models' files (types, conditions) and numbered names; the one door for such text here."""
    return cast("LiteralString", text)
