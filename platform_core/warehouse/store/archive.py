"""SQL of sealed months: rows out to a file and back, and the marks that wait meanwhile."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import IO
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from platform_core.warehouse.store.partitions import identifier

IS_SEALED = "select archive_file from core.archived_partition where first_date = %(first)s and attached_at is null"
OPEN_DATES = """
select count(*) from (
    select date from core.dirty_partition
    where model = any(%(models)s) and date >= %(first)s and date < %(end)s
    union
    select date from core.partition_state
    where model = any(%(models)s) and date >= %(first)s and date < %(end)s and state = 'failed'
) as unfinished
"""
MONTHS = """
select distinct date_trunc('month', date)::date
from (select date from core.partition_state union select date from core.dirty_partition) as known
where date > '1970-01-01' and date_trunc('month', date) + interval '1 month' <= %(limit)s::date
order by 1
"""
ARCHIVES = """
select first_date, last_date, archive_file, attached_at from core.archived_partition order by first_date, archived_at
"""
LOCK = "lock table {table} in share row exclusive mode"
OUT = "copy (select {columns} from {table}) to stdout"
IN = "copy {table} ({columns}) from stdin"
DETACH = "alter table {parent} detach partition {table}"
DROP = "drop table {table}"
RECORD = """
insert into core.archived_partition (first_date, last_date, archive_file) values (%(first)s, %(last)s, %(file)s)
"""
SET_ATTACHED = """
update core.archived_partition set attached_at = clock_timestamp() where first_date = %(first)s and attached_at is null
"""
# What lies in the partition of a sealed month came after it was sealed.
LATE = """
select distinct tenant_id, 'staging.stg_' || record_type, business_date
from core.erp_mes_data where business_date >= %(first)s and business_date < %(end)s
"""
# A correction that came meanwhile could not touch the version in the archive; identity knows which is current.
SETTLE = """
update core.erp_mes_data as record
set is_current = false
from core.record_identity as identity
where record.business_date >= %(first)s and record.business_date < %(end)s and record.is_current
    and identity.tenant_id = record.tenant_id and identity.record_type = record.record_type
    and identity.source_system = record.source_system and identity.source_pk = record.source_pk
    and (identity.source_version, identity.received_at, identity.source_row)
        is distinct from (record.source_version, record.received_at, record.source_row)
"""
MARK_LATE = """
insert into core.dirty_partition as mark (tenant_id, model, date, reason, due_at)
select distinct late.tenant_id, late.model, late.date + ahead, 'records came while the month was archived',
    'epoch'::timestamptz
from jsonb_to_recordset(%(late)s) as late(tenant_id uuid, model text, date date, lookback integer)
cross join lateral generate_series(0, late.lookback) as ahead
where late.date + ahead <= (clock_timestamp() at time zone 'UTC')::date + 1
order by 2, 3, 1
on conflict (tenant_id, model, date) do update set
    generation = nextval('core.dirty_generation'), due_at = least(mark.due_at, excluded.due_at)
"""
MARK_STAGING = """
insert into core.dirty_partition as mark (tenant_id, model, date, reason, due_at)
select tenant_id, model, date, 'the model changed while the month was archived', 'epoch'
from core.partition_state
where model = any(%(models)s) and date >= %(first)s and date < %(end)s
order by model, date, tenant_id
on conflict (tenant_id, model, date) do update set
    generation = nextval('core.dirty_generation'), due_at = least(mark.due_at, excluded.due_at)
"""
POSTPONE = """
update core.dirty_partition set due_at = '9999-12-31 00:00:00+00'
where model = %(model)s and date = any(%(dates)s) and due_at < '9999-12-31 00:00:00+00'
"""
RELEASE = "update core.dirty_partition set due_at = 'epoch' where due_at = '9999-12-31 00:00:00+00'"

Late = tuple[UUID, str, date]


def archive_of(conn: psycopg.Connection, first: date) -> str | None:
    """The file of a sealed month, by its first date."""
    row = conn.execute(IS_SEALED, {"first": first}).fetchone()
    return row[0] if row else None


def is_sealed(conn: psycopg.Connection, first: date) -> bool:
    """Whether the month of that first date lies in an archive."""
    return archive_of(conn, first) is not None


def open_dates(conn: psycopg.Connection, first: date, end: date, models: Sequence[str]) -> int:
    """Dates from `first` up to and without `end` that are marked or failed."""
    row = conn.execute(OPEN_DATES, {"models": list(models), "first": first, "end": end}).fetchone()
    return row[0] if row else 0


def archives(conn: psycopg.Connection) -> list[tuple[date, date, str, datetime | None]]:
    """First and last date, file, and since when its rows are back."""
    return conn.execute(ARCHIVES).fetchall()


def months_with_rows(conn: psycopg.Connection, limit: date) -> tuple[date, ...]:
    """First dates of the months that hold something, made or still to be made, and ended by `limit`."""
    return tuple(month for (month,) in conn.execute(MONTHS, {"limit": limit}))


def lock(conn: psycopg.Connection, table: str) -> None:
    """Hold off writers of a partition until the transaction ends."""
    conn.execute(sql.SQL(LOCK).format(table=identifier(table)))


def copy_out(conn: psycopg.Connection, table: str, columns: Sequence[str], file: IO[bytes]) -> int:
    """The rows as PostgreSQL's own text format; returns how many."""
    statement = sql.SQL(OUT).format(table=identifier(table), columns=_names(columns))
    with conn.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for block in copy:
                file.write(block)
        return cursor.rowcount


def copy_in(conn: psycopg.Connection, table: str, columns: Sequence[str], file: IO[bytes]) -> int:
    """Rows from a file of `copy_out`; returns how many."""
    statement = sql.SQL(IN).format(table=identifier(table), columns=_names(columns))
    with conn.cursor() as cursor:
        with cursor.copy(statement) as copy:
            while block := file.read(1 << 20):
                copy.write(block)
        return cursor.rowcount


def detach_and_drop(conn: psycopg.Connection, parent: str, table: str) -> None:
    """Take a partition away."""
    conn.execute(sql.SQL(DETACH).format(parent=identifier(parent), table=identifier(table)))
    conn.execute(sql.SQL(DROP).format(table=identifier(table)))


def record(conn: psycopg.Connection, first: date, last: date, file: str) -> None:
    """The month is sealed from now on."""
    conn.execute(RECORD, {"first": first, "last": last, "file": file})


def set_attached(conn: psycopg.Connection, first: date) -> None:
    """The month is open again."""
    conn.execute(SET_ATTACHED, {"first": first})


def late_dates(conn: psycopg.Connection, first: date, end: date) -> list[Late]:
    """Tenant, staging model and date of the records that landed while the month was sealed."""
    return [(tenant, model, day) for tenant, model, day in conn.execute(LATE, {"first": first, "end": end})]


def settle_current(conn: psycopg.Connection, first: date, end: date) -> None:
    """Leave is_current only on the version that the record's identity names."""
    conn.execute(SETTLE, {"first": first, "end": end})


def mark_late(conn: psycopg.Connection, late: Iterable[Late], lookback: Mapping[str, int]) -> None:
    """Mark what the late records change."""
    rows = [
        {"tenant_id": str(tenant), "model": model, "date": day.isoformat(), "lookback": lookback.get(model, 0)}
        for tenant, model, day in late
    ]
    conn.execute(MARK_LATE, {"late": Jsonb(rows)})


def mark_staging(conn: psycopg.Connection, models: Sequence[str], first: date, end: date) -> None:
    """Mark staging models whose archived rows do not fit any more."""
    conn.execute(MARK_STAGING, {"models": list(models), "first": first, "end": end})


def postpone(conn: psycopg.Connection, model: str, dates: Sequence[date]) -> None:
    """Let the marks of dates that cannot be made while a month is sealed wait for it."""
    conn.execute(POSTPONE, {"model": model, "dates": list(dates)})


def release(conn: psycopg.Connection) -> None:
    """Make every mark that waited for an archive due; what still has to wait is postponed again by the next run."""
    conn.execute(RELEASE)


def _names(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
