"""SQL of write, audit, publish: candidates, their counts, and the replacement of one (tenant, date)."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from dbt_like_sql.compile import to_psycopg
from dbt_like_sql.contracts import Model
from platform_core.warehouse.contracts import UNDATED, TenantDate
from platform_core.warehouse.store.catalog import trusted
from platform_core.warehouse.store.partitions import identifier

# Session locks on (model, date), oldest date first; two runs of one date queue here.
LOCK = "select pg_advisory_lock(hashtext(%(model)s), %(day)s)"
CANDIDATE_IN_USE = "select pg_advisory_lock(hashtext('takt.scratch'), hashtext(%(candidate)s))"

# INSERT ... SELECT never runs in parallel, CREATE TABLE AS does. Without these costs the planner thinks a month too
# small to share; parallel_tuple_cost is what it pays to hand rows to the leader, which here is cheaper than parsing.
PARALLEL = """
select set_config('max_parallel_workers_per_gather', '2', true),
    set_config('parallel_setup_cost', '100', true), set_config('parallel_tuple_cost', '0.001', true),
    set_config('min_parallel_table_scan_size', '0', true), set_config('min_parallel_index_scan_size', '0', true),
    set_config('work_mem', '128MB', true), set_config('maintenance_work_mem', '256MB', true)
"""
CANDIDATE = """
create {unlogged} table {candidate}{options} as
select {columns} from ({query}) as model{only}
"""
ONLY_TENANT = " where model.tenant_id = {tenant}"
OPEN_KEYS = "select distinct tenant_id, date from {candidate} where is_open"
CANDIDATE_INDEX = "create {unique} index on {candidate} ({columns})"
SMALL_SAMPLE = "set local default_statistics_target = 20"
ANALYZE = "analyze (skip_locked) {table} ({columns})"
STALE_STATISTICS = """
select published.rows > 1000 and abs(published.rows - greatest(known.reltuples, 0)) > published.rows / 3
from pg_class as known
cross join lateral (
    select coalesce(sum(rows), 0) as rows from core.partition_state where model = %(model)s
) as published
where known.oid = to_regclass(%(model)s)
"""
DROP_CANDIDATE = "drop table if exists {candidate}"
COUNTS = "select {tenant}, {day}, count(*) from {candidate} group by 1, 2"

ACTIVE_TENANTS = "select id from core.tenants where status = 'active' order by id"
SEALED = """
select day::date
from unnest(%(dates)s::date[]) as day
where exists (
    select from core.archived_partition
    where attached_at is null and day between first_date and last_date + %(lookback)s
)
"""
STATES = """
select tenant_id, date, version, rows from core.partition_state where model = %(model)s and date = any(%(dates)s)
"""

STALE = """
select model
from unnest(%(models)s::text[]) as model
where exists (select from core.dirty_partition as mark where mark.model = model.model and mark.date = %(undated)s)
    or exists (
        select from core.tenants as tenant
        where tenant.status = 'active' and not exists (
            select from core.partition_state as state
            where state.model = model.model and state.date = %(undated)s
                and state.tenant_id = tenant.id
        )
    )
"""

ASYNCHRONOUS = "set local synchronous_commit = off"
DELETE = "delete from {table} where {scope}"
INSERT = "insert into {table} ({columns}) select {columns} from {candidate} where {scope}"
# The version that was there when the rows were read is the fence: whoever lost its lock finds it moved on.
PUBLISHED = """
insert into core.partition_state as state (
    tenant_id, model, date, state, version, rows, reason, code_version, run_id, published_at, checked_at
)
select key.tenant_id, %(model)s, key.date, 'published', key.version + 1, key.rows, null, %(code)s, %(run)s,
    clock_timestamp(), clock_timestamp()
from jsonb_to_recordset(%(keys)s) as key(tenant_id uuid, date date, version bigint, rows bigint)
order by key.date, key.tenant_id
on conflict (tenant_id, model, date) do update set
    state = 'published', version = excluded.version, rows = excluded.rows, reason = null,
    code_version = excluded.code_version, run_id = excluded.run_id, published_at = excluded.published_at,
    checked_at = excluded.checked_at
where state.version = excluded.version - 1
"""
FAILED = """
insert into core.partition_state as state (tenant_id, model, date, state, reason, run_id)
select key.tenant_id, %(model)s, key.date, 'failed', key.reason, %(run)s
from jsonb_to_recordset(%(keys)s) as key(tenant_id uuid, date date, reason text)
order by key.date, key.tenant_id
on conflict (tenant_id, model, date) do update set
    state = 'failed', reason = excluded.reason, run_id = excluded.run_id, checked_at = clock_timestamp()
"""


class State(NamedTuple):
    """What is published of a (tenant, date): how often it was replaced, and its rows."""

    version: int = 0
    rows: int = 0


def lock(conn: psycopg.Connection, model: str, days: Sequence[date]) -> None:
    """Take the session's locks on (model, date) in ascending order; waits for whoever holds one."""
    for day in sorted(days):
        conn.execute(LOCK, {"model": model, "day": (day - UNDATED).days})


def lock_candidate(conn: psycopg.Connection, candidate: str) -> None:
    """Show the sweep of left-overs that the candidate is in use, as long as the session lives."""
    conn.execute(CANDIDATE_IN_USE, {"candidate": candidate.partition(".")[2]})


def allow_parallel(conn: psycopg.Connection) -> None:
    """Let this transaction's statements use both cores, however small PostgreSQL thinks the work."""
    conn.execute(PARALLEL)


def create_candidate(
    conn: psycopg.Connection,
    model: Model,
    candidate: str,
    parameters: Mapping[str, Any],
    *,
    tenant: UUID | None,
    logged: bool,
) -> int:
    """Fill the candidate from the model's SELECT with its parameters bound; returns the number of rows.

    `logged` is for one that becomes a partition; the others are unlogged, as they are dropped at the end.

    The parameters are bound by the client: a CREATE TABLE AS takes none on the server's side. With `tenant` only that
    tenant's rows are kept (and, where PostgreSQL can push the condition down, computed).
    """
    columns = sql.SQL(", ").join(
        sql.SQL("model.{name}::{type} as {name}").format(name=sql.Identifier(column.name), type=trusted(column.type))
        for column in model.spec.columns
    )
    query = trusted(to_psycopg(model.sql.rstrip().rstrip(";")))
    only = sql.SQL(ONLY_TENANT).format(tenant=sql.Literal(tenant)) if tenant else sql.SQL("")
    statement = sql.SQL(CANDIDATE).format(
        candidate=identifier(candidate),
        columns=columns,
        query=query,
        only=only,
        unlogged=sql.SQL("" if logged else "unlogged"),
        options=sql.SQL("" if logged else " with (autovacuum_enabled = false)"),
    )
    with psycopg.ClientCursor(conn) as cursor:
        allow_parallel(conn)
        cursor.execute(statement, parameters)
        return cursor.rowcount


def index_candidate(conn: psycopg.Connection, candidate: str, columns: Sequence[str], *, unique: bool = False) -> None:
    """An index by which each (tenant, date) is read without reading the others; raises UniqueViolation."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    kind = sql.SQL("unique" if unique else "")
    conn.execute(sql.SQL(CANDIDATE_INDEX).format(candidate=identifier(candidate), columns=names, unique=kind))


def refresh_statistics(conn: psycopg.Connection, model: Model) -> None:
    """Count the values of the model's columns anew where the table has grown or shrunk by a third since the last time.

    Autovacuum never looks at a partitioned table as a whole, and without its statistics PostgreSQL sorts a million rows
    where it could group them: defects of a month took five times as long.
    """
    row = conn.execute(STALE_STATISTICS, {"model": model.relation}).fetchone()
    if row and row[0]:
        with conn.transaction():
            relax_commit(conn)
            analyze(conn, model, model.relation)


def analyze(conn: psycopg.Connection, model: Model, table: str) -> None:
    """Count the values of the model's columns in the table, in the caller's transaction.

    Not of JSON, which is long and never compared, and of fewer rows than usual: how many lines and products there are
    shows in 6,000 as well as in 30,000.
    """
    conn.execute(SMALL_SAMPLE)
    columns = [column.name for column in model.spec.columns if not column.type.startswith("json")]
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    conn.execute(sql.SQL(ANALYZE).format(table=identifier(table), columns=names))


def drop_candidate(conn: psycopg.Connection, candidate: str) -> None:
    """The candidate is done with, published or not."""
    conn.execute(sql.SQL(DROP_CANDIDATE).format(candidate=identifier(candidate)))


def counts(
    conn: psycopg.Connection, candidate: str, *, tenant: bool, dated: bool
) -> Mapping[tuple[UUID | None, date | None], int]:
    """Rows of each (tenant, date); a model without one of them counts under the constant that stands for it."""
    statement = sql.SQL(COUNTS).format(
        candidate=identifier(candidate),
        tenant=sql.SQL("tenant_id" if tenant else "'00000000-0000-0000-0000-000000000000'::uuid"),
        day=sql.SQL("date") if dated else sql.Literal(UNDATED),
    )
    return {(tenant_id, day): rows for tenant_id, day, rows in conn.execute(statement)}


def open_keys(conn: psycopg.Connection, candidate: str) -> frozenset[TenantDate]:
    """Tenants and dates with a row that is still open, so that it will be another one later."""
    rows = conn.execute(sql.SQL(OPEN_KEYS).format(candidate=identifier(candidate)))
    return frozenset((tenant, day) for tenant, day in rows)


def stale_tables(conn: psycopg.Connection, models: Sequence[str]) -> frozenset[str]:
    """Those of the models without dates that are marked, or were never published for a tenant."""
    rows = conn.execute(STALE, {"models": list(models), "undated": UNDATED})
    return frozenset(model for (model,) in rows)


def active_tenants(conn: psycopg.Connection) -> tuple[UUID, ...]:
    """Tenants for whom an empty date is published too."""
    return tuple(tenant for (tenant,) in conn.execute(ACTIVE_TENANTS))


def sealed(conn: psycopg.Connection, dates: Sequence[date], lookback: int) -> tuple[date, ...]:
    """Those of the dates that cannot be made anew, as rows of that date or the `lookback` before lie in an archive."""
    return tuple(day for (day,) in conn.execute(SEALED, {"dates": list(dates), "lookback": lookback}))


def states(conn: psycopg.Connection, model: str, dates: Sequence[date]) -> Mapping[TenantDate, State]:
    """What is published of the model on those dates."""
    rows = conn.execute(STATES, {"model": model, "dates": list(dates)})
    return {(tenant, day): State(version, count) for tenant, day, version, count in rows}


def relax_commit(conn: psycopg.Connection) -> None:
    """Let this transaction's commit not wait for the disk; a later one that does makes both durable."""
    conn.execute(ASYNCHRONOUS)


def _scope(key: TenantDate, *, tenant: bool, dated: bool) -> tuple[sql.Composable, dict[str, Any]]:
    conditions = ["tenant_id = %(tenant)s"] if tenant else []
    if dated:
        conditions.append("date = %(date)s")
    return trusted(" and ".join(conditions) or "true"), {"tenant": key[0], "date": key[1]}


def delete(conn: psycopg.Connection, model: Model, key: TenantDate, *, tenant: bool) -> None:
    """The rows that are published of one (tenant, date)."""
    scope, values = _scope(key, tenant=tenant, dated=model.is_dated)
    conn.execute(sql.SQL(DELETE).format(table=identifier(model.relation), scope=scope), values)


def insert(conn: psycopg.Connection, model: Model, candidate: str, key: TenantDate, *, tenant: bool, table: str) -> int:
    """The candidate's rows of one (tenant, date) into the table; returns how many there were."""
    scope, values = _scope(key, tenant=tenant, dated=model.is_dated)
    statement = sql.SQL(INSERT).format(
        table=identifier(table),
        candidate=identifier(candidate),
        columns=sql.SQL(", ").join(sql.Identifier(column.name) for column in model.spec.columns),
        scope=scope,
    )
    return conn.execute(statement, values).rowcount


def set_published(
    conn: psycopg.Connection, model: Model, run_id: str, done: Sequence[tuple[TenantDate, int, int]]
) -> int:
    """Record (tenant and date, version before, rows now); returns how many of those versions still were current."""
    rows = [
        {"tenant_id": str(tenant), "date": day.isoformat(), "version": before, "rows": now}
        for (tenant, day), before, now in done
    ]
    values = {"model": model.relation, "code": model.digest, "run": run_id, "keys": Jsonb(rows)}
    return conn.execute(PUBLISHED, values).rowcount


def set_failed(conn: psycopg.Connection, model: str, run_id: str, reasons: Mapping[TenantDate, str]) -> None:
    """Record what keeps its last good version, and why."""
    rows = [
        {"tenant_id": str(tenant), "date": day.isoformat(), "reason": reason}
        for (tenant, day), reason in reasons.items()
    ]
    conn.execute(FAILED, {"model": model, "run": run_id, "keys": Jsonb(rows)})
