"""SQL of core.master_record: the current version of lines, products, machines, shifts, cycle times and KPIs."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import psycopg
from psycopg import sql

LOCK: Final = "select pg_advisory_xact_lock(hashtextextended(%(name)s, 0))"
KNOWN: Final = """
select source_pk, source_version, content_hash, raw_data, source_row
from core.master_record
where tenant_id = %(tenant)s and record_type = %(record_type)s and source_pk = any(%(keys)s)
"""
UPSERT: Final = """
insert into core.master_record (
    tenant_id, record_type, source_pk, source_system, source_version, raw_data, content_hash, received_at, load_id,
    source_row
)
select
    %(tenant)s, %(record_type)s, source_pk, %(source_system)s, source_version, raw_data, content_hash,
    %(received_at)s, %(load_id)s, source_row
from unnest(%(keys)s::text[], %(versions)s::bigint[], %(texts)s::jsonb[], %(hashes)s::bytea[], %(rows)s::bigint[])
    as t(source_pk, source_version, raw_data, content_hash, source_row)
on conflict (tenant_id, record_type, source_pk) do update set
    source_system = excluded.source_system,
    source_version = excluded.source_version,
    raw_data = excluded.raw_data,
    content_hash = excluded.content_hash,
    received_at = excluded.received_at,
    load_id = excluded.load_id,
    source_row = excluded.source_row
"""
# Dates on which a published model has rows of these keys: those rows were made with the old master data.
DATES: Final = """
select distinct model.date
from {relation} as model
join (select distinct * from unnest({arrays}) as t({columns})) as changed on {matches}
where model.tenant_id = %(tenant)s
"""
ALL_DATES: Final = "select distinct date from {relation} where tenant_id = %(tenant)s"
EXISTS: Final = "select to_regclass(%(relation)s) is not null"


class Master(NamedTuple):
    """A master record as it is stored."""

    source_version: int
    content_hash: bytes
    raw_data: dict[str, Any]
    source_row: int


class Fresh(NamedTuple):
    """A master record to store."""

    source_pk: str
    source_version: int
    text: str
    content_hash: bytes
    source_row: int


def lock(conn: psycopg.Connection, tenant: UUID, record_type: str) -> None:
    """Wait for other loads of the same master data; held until the transaction ends."""
    conn.execute(LOCK, {"name": f"takt.master/{tenant}/{record_type}"})


def known(conn: psycopg.Connection, tenant: UUID, record_type: str, keys: Sequence[str]) -> dict[str, Master]:
    """What is stored under these keys."""
    values = {"tenant": tenant, "record_type": record_type, "keys": list(keys)}
    rows: Iterable[tuple[str, int, bytes, dict[str, Any], int]] = conn.execute(KNOWN, values)
    return {key: Master(*rest) for key, *rest in rows}


def upsert(
    conn: psycopg.Connection,
    tenant: UUID,
    record_type: str,
    source_system: str,
    fresh: Sequence[Fresh],
    *,
    received_at: datetime,
    load_id: UUID,
) -> None:
    """Store these as current."""
    names = ("keys", "versions", "texts", "hashes", "rows")
    columns = {name: list(column) for name, column in zip(names, zip(*fresh, strict=True), strict=True)}
    values = {
        "tenant": tenant,
        "record_type": record_type,
        "source_system": source_system,
        "received_at": received_at,
        "load_id": load_id,
        **columns,
    }
    conn.execute(UPSERT, values, prepare=False)


def dates_with(
    conn: psycopg.Connection, tenant: UUID, relation: str, columns: Sequence[str], keys: Sequence[Sequence[str]]
) -> set[date]:
    """Dates on which a dated model has rows with one of these keys; without columns, all its dates."""
    exists = conn.execute(EXISTS, {"relation": relation}).fetchone()
    if not exists or not exists[0]:
        return set()
    table = sql.Identifier(*relation.split("."))
    if not columns:
        statement = sql.SQL(ALL_DATES).format(relation=table)
        return {row[0] for row in conn.execute(statement, {"tenant": tenant})}
    statement = sql.SQL(DATES).format(
        relation=table,
        arrays=sql.SQL(", ").join(sql.SQL("{}::text[]").format(sql.Placeholder(name)) for name in columns),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        matches=sql.SQL(" and ").join(
            sql.SQL("model.{0} = changed.{0}").format(sql.Identifier(name)) for name in columns
        ),
    )
    arrays = {name: [key[place] for key in keys] for place, name in enumerate(columns)}
    return {row[0] for row in conn.execute(statement, {"tenant": tenant, **arrays})}
