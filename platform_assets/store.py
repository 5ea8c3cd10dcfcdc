"""SQL of the definitions and the raw assets."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

import psycopg
from psycopg.types.json import Jsonb

PLANT_ZONES = """
select settings ->> 'timezone' from core.tenants where status = 'active' and settings ->> 'timezone' is not null
"""
HAS_TABLES = "select to_regclass('core.tenants') is not null, to_regclass('bi.dim_line') is not null"
LINE_ZONES = """
select distinct line.timezone
from bi.dim_line as line
join core.tenants as tenant on tenant.id = line.tenant_id
where line.timezone is not null and tenant.status = 'active'
"""


def plant_zones(conn: psycopg.Connection) -> frozenset[str]:
    """Names of the time zones of active tenants and of their lines; none in a database without our tables."""
    has_tenants, has_lines = conn.execute(HAS_TABLES).fetchone() or (False, False)
    zones: set[str] = set()
    if has_tenants:
        zones |= {str(zone) for (zone,) in conn.execute(PLANT_ZONES)}
    if has_tenants and has_lines:
        zones |= {str(zone) for (zone,) in conn.execute(LINE_ZONES)}
    return frozenset(zones)


# Served by erp_mes_data_date_idx (record_type, business_date, tenant_id) where is_current.
LANDED = """
select tenant.slug, count(*), max(record.received_at)
from core.erp_mes_data as record
join core.tenants as tenant on tenant.id = record.tenant_id
where record.is_current and record.record_type = %(record_type)s and record.business_date = any(%(dates)s)
group by tenant.slug
order by tenant.slug
"""
LANDED_MASTER = """
select tenant.slug, count(*), max(record.received_at)
from core.master_record as record
join core.tenants as tenant on tenant.id = record.tenant_id
where record.record_type = %(record_type)s
group by tenant.slug
order by tenant.slug
"""


class Landed(NamedTuple):
    """Current records of one tenant: how many, and when the newest arrived."""

    tenant: str
    records: int
    newest: datetime


def landed(conn: psycopg.Connection, record_type: str, dates: Sequence[date] | None) -> tuple[Landed, ...]:
    """Current records of a type on those production dates, by tenant; `dates` None for master data."""
    if dates is None:
        rows = conn.execute(LANDED_MASTER, {"record_type": record_type})
    else:
        rows = conn.execute(LANDED, {"record_type": record_type, "dates": list(dates)})
    return tuple(Landed(*row) for row in rows)


# Served by dirty_partition (date, due_at). A sealed date is not made anew: its raw rows lie in an archive.
DUE_MARKS = """
select mark.model, mark.date, max(mark.generation)
from core.dirty_partition as mark
where mark.due_at <= %(now)s
    and not exists (
        select from core.archived_partition as archive
        where archive.attached_at is null and mark.date between archive.first_date and archive.last_date
    )
group by mark.model, mark.date
order by mark.date, mark.model
"""


class DueMark(NamedTuple):
    """A model to be made anew on a date (UNDATED for one without dates); a newer change has a higher generation."""

    model: str
    date: date
    generation: int


def due_marks(conn: psycopg.Connection, now: datetime) -> tuple[DueMark, ...]:
    """Every mark that is due, of all tenants together, oldest date first."""
    return tuple(DueMark(*row) for row in conn.execute(DUE_MARKS, {"now": now}))


RECORD_EXECUTION = """
insert into bi.etl_job_executions as known
    (run_id, job_name, status, first_date, last_date, error_message, started_at, ended_at, metadata)
values
    (%(run_id)s, %(job_name)s, %(status)s, %(first_date)s, %(last_date)s, %(error)s, %(started_at)s, %(ended_at)s,
     %(metadata)s)
on conflict (run_id) do update set
    status = excluded.status, error_message = excluded.error_message,
    started_at = coalesce(excluded.started_at, known.started_at), ended_at = excluded.ended_at,
    metadata = excluded.metadata
"""


class Execution(NamedTuple):
    """A run of the orchestrator; times in UTC."""

    run_id: str
    job_name: str
    status: str
    first_date: date | None
    last_date: date | None
    error: str | None
    started_at: datetime | None
    ended_at: datetime | None
    steps: tuple[str, ...]
    """Those that failed."""


def record_execution(conn: psycopg.Connection, run: Execution) -> None:
    """Remember it; again for the same run renews what is known."""
    values = run._asdict() | {"metadata": Jsonb({"failed_steps": list(run.steps)} if run.steps else {})}
    del values["steps"]
    conn.execute(RECORD_EXECUTION, values)
