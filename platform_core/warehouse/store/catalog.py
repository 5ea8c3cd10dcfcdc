"""SQL that reads what stands in the database: relations, columns, indexes, and what was last applied."""

from collections.abc import Mapping, Sequence
from typing import LiteralString, NamedTuple, cast

import psycopg
from psycopg import sql

APPLYING = 0x54414B55
"""Advisory lock under which a project is applied, so that two `takt init` wait for one another."""

LOCK = "select pg_advisory_xact_lock(%(key)s)"
LOCK_TIMEOUT = "set local lock_timeout = '120s'"
APPLIED = "select relation, kind, position, code_version, definition from core.applied_model"
KINDS = """
select n.nspname || '.' || c.relname, c.relkind::text
from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where n.nspname in ('staging', 'bi') and c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition
"""
COLUMNS = """
select attname, format_type(atttypid, atttypmod), attnotnull
from pg_attribute
where attrelid = to_regclass(%(relation)s) and attnum > 0 and not attisdropped
order by attnum
"""
INDEXES = """
select i.relname, x.indisunique,
    array(select a.attname from unnest(x.indkey::int2[]) with ordinality as key(attnum, place)
        join pg_attribute as a on a.attrelid = x.indrelid and a.attnum = key.attnum order by place)::text[]
from pg_index as x join pg_class as i on i.oid = x.indexrelid
where x.indrelid = to_regclass(%(relation)s)
"""
RECORD = """
insert into core.applied_model (relation, kind, position, code_version, definition)
values (%(relation)s, %(kind)s, %(position)s, %(code_version)s, %(definition)s)
on conflict (relation) do update set
    kind = excluded.kind, position = excluded.position, code_version = excluded.code_version,
    definition = excluded.definition, applied_at = clock_timestamp()
"""
FORGET = "delete from core.applied_model where relation = %(relation)s"
SHAPE = "create temp table takt_wanted_shape ({columns}) on commit drop"
FORGET_SHAPE = "drop table takt_wanted_shape"


class Applied(NamedTuple):
    """What was applied of a model: its kind, its place in the order, the hash of its rows' meaning and of all of it."""

    kind: str
    position: int
    code_version: str
    definition: str


class StoredColumn(NamedTuple):
    """A column as PostgreSQL has it; `type` is its own spelling (`timestamp with time zone`)."""

    name: str
    type: str
    not_null: bool


class StoredIndex(NamedTuple):
    """An index as PostgreSQL has it."""

    name: str
    unique: bool
    columns: tuple[str, ...]


def trusted(text: str) -> sql.SQL:
    """SQL that comes from the package's own model files or from constants here; the one door for such text."""
    return sql.SQL(cast(LiteralString, text))


def lock(conn: psycopg.Connection) -> None:
    """Wait until no other session applies a project; held until the transaction ends."""
    conn.execute(LOCK, {"key": APPLYING})
    conn.execute(LOCK_TIMEOUT)


def applied(conn: psycopg.Connection) -> Mapping[str, Applied]:
    """What was last applied, by relation."""
    return {relation: Applied(*rest) for relation, *rest in conn.execute(APPLIED)}


def kinds(conn: psycopg.Connection) -> Mapping[str, str]:
    """Every table, view and materialized view of staging and bi with its relkind; partitions left out."""
    return dict(conn.execute(KINDS).fetchall())


def columns(conn: psycopg.Connection, relation: str) -> tuple[StoredColumn, ...]:
    """The columns in their order."""
    return tuple(StoredColumn(*row) for row in conn.execute(COLUMNS, {"relation": relation}))


def indexes(conn: psycopg.Connection, relation: str) -> tuple[StoredIndex, ...]:
    """The indexes of the relation itself."""
    rows = conn.execute(INDEXES, {"relation": relation})
    return tuple(StoredIndex(name, unique, tuple(names)) for name, unique, names in rows)


def shape(conn: psycopg.Connection, wanted: Sequence[tuple[str, str, bool]]) -> tuple[StoredColumn, ...]:
    """The same columns (name, type, not null) as PostgreSQL spells them, so that `int` and `integer` compare equal."""
    conn.execute(sql.SQL(SHAPE).format(columns=column_list(wanted)))
    stored = columns(conn, "pg_temp.takt_wanted_shape")
    conn.execute(FORGET_SHAPE)
    return stored


def column_list(wanted: Sequence[tuple[str, str, bool]]) -> sql.Composed:
    """`name type [not null]`, ... for CREATE TABLE."""
    return sql.SQL(", ").join(
        sql.SQL("{} {}{}").format(sql.Identifier(name), trusted(kind), sql.SQL(" not null" if not_null else ""))
        for name, kind, not_null in wanted
    )


def record(conn: psycopg.Connection, relation: str, state: Applied) -> None:
    """Remember what is applied now."""
    conn.execute(RECORD, {"relation": relation, **state._asdict()})


def forget(conn: psycopg.Connection, relation: str) -> None:
    """A model that the project no longer has."""
    conn.execute(FORGET, {"relation": relation})
