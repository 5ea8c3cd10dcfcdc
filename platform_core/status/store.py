"""SQL of the status; reads bookkeeping only, never a fact."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from platform_core.warehouse.rules import IS_FRESH

# Served by partition_state (model, date); a model without dates keeps 1970-01-01.
MODELS = """
select applied.relation as model, split_part(applied.kind, ':', 1) as kind,
    coalesce(state.rows, 0)::bigint as rows, state.last_good_date, state.published_to, state.published_at,
    coalesce(mark.dirty, 0)::bigint as dirty, coalesce(state.failed, 0)::bigint as failed
from core.applied_model as applied
left join lateral (
    select sum(rows) as rows,
        max(date) filter (where state = 'published' and date <> '1970-01-01' and rows > 0) as last_good_date,
        max(date) filter (where state = 'published' and date <> '1970-01-01') as published_to,
        max(published_at) as published_at,
        count(*) filter (where state = 'failed') as failed
    from core.partition_state
    where model = applied.relation and tenant_id = any(%(tenants)s)
) as state on true
left join lateral (
    select count(*) as dirty from core.dirty_partition
    where model = applied.relation and tenant_id = any(%(tenants)s)
) as mark on true
where applied.kind <> 'view'
order by applied.position
"""
# The limit is that of the check of the same meaning, which stores it whenever the model is made.
FEEDS = """
select tenant.slug as tenant, filled.model, filled.newest_date,
    (rule.rule_config ->> 'hours')::integer as hours_allowed,
    round(
        extract(epoch from %(now)s - (filled.newest_date + 1)::timestamp
            at time zone coalesce(tenant.settings ->> 'timezone', 'Asia/Seoul')) / 3600, 1
    )::double precision as hours
from bi.data_quality_rules as rule
cross join lateral (
    select model, tenant_id, max(date) as newest_date
    from core.partition_state
    where model = rule.table_name and tenant_id = any(%(tenants)s) and rows > 0
    group by model, tenant_id
) as filled
join core.tenants as tenant on tenant.id = filled.tenant_id and tenant.status = 'active'
where rule.name = %(check)s and rule.is_enabled
order by filled.model, tenant.slug
"""
DIRTY = """
select tenant.slug as tenant, mark.model, nullif(mark.date, '1970-01-01') as date, mark.reason,
    case when mark.due_at > %(now)s then mark.due_at end as due_at
from core.dirty_partition as mark
join core.tenants as tenant on tenant.id = mark.tenant_id
where mark.tenant_id = any(%(tenants)s)
order by mark.date, mark.model, tenant.slug
"""
FAILED = """
select tenant.slug as tenant, state.model, nullif(state.date, '1970-01-01') as date,
    coalesce(state.reason, '') as reason,
    case when state.version > 0 then state.rows end as last_good_rows
from core.partition_state as state
join core.tenants as tenant on tenant.id = state.tenant_id
where state.state = 'failed' and state.tenant_id = any(%(tenants)s)
order by state.date, state.model, tenant.slug
"""
# Served by rejected_record (tenant_id, status, created_at).
REJECTED = """
select record_type, count(*) from core.rejected_record
where tenant_id = any(%(tenants)s) and status = 'open'
group by record_type order by record_type
"""
# A result holds until the same check looks at the date again. Served by data_quality_checks (tenant_id, executed_at).
WARNINGS = """
select tenant.slug as tenant, found.model, found.check_name as name, count(distinct found.date) as dates,
    max(found.date) as newest_date,
    (array_agg(found.sample_failed_rows order by found.date desc, found.executed_at desc))[1] as sample
from bi.data_quality_checks as found
join core.tenants as tenant on tenant.id = found.tenant_id
cross join lateral (
    select coalesce(max(date), %(today)s) as date from core.partition_state
    where tenant_id = found.tenant_id and rows > 0 and date <= %(today)s
) as newest
where found.tenant_id = any(%(tenants)s) and found.status = 'warning' and found.date > newest.date - 30
    and not exists (
        select from bi.data_quality_checks as later
        where later.tenant_id = found.tenant_id and later.model = found.model
            and later.check_name = found.check_name and later.executed_at > found.executed_at
            and later.run_id is distinct from found.run_id
            and found.date between (later.metadata ->> 'first_date')::date and (later.metadata ->> 'last_date')::date
    )
group by tenant.slug, found.model, found.check_name
order by newest_date desc, found.model, found.check_name, tenant.slug
"""
ARCHIVED = """
select first_date, last_date from core.archived_partition where attached_at is null order by first_date
"""
FAILED_RUNS = """
select run_id, job_name as job, ended_at, coalesce(error_message, '') as error
from bi.etl_job_executions
where status = 'failed' and coalesce(ended_at, recorded_at) > %(since)s
order by ended_at desc nulls last
limit 20
"""
ZONES = """
select coalesce(settings ->> 'timezone', 'Asia/Seoul') from core.tenants where id = any(%(tenants)s)
union
select raw_data ->> 'timezone' from core.master_record
where record_type = 'line' and tenant_id = any(%(tenants)s) and raw_data ->> 'timezone' is not null
"""
HAS_TABLES = """
select to_regclass('core.applied_model') is not null and to_regclass('bi.etl_job_executions') is not null
"""


def _dicts(conn: psycopg.Connection, query: bytes, values: dict[str, Any]) -> list[dict[str, Any]]:
    return conn.cursor(row_factory=dict_row).execute(query, values).fetchall()


def has_tables(conn: psycopg.Connection) -> bool:
    """Whether the migrations have run."""
    row = conn.execute(HAS_TABLES).fetchone()
    return bool(row and row[0])


def models(conn: psycopg.Connection, tenants: Sequence[UUID]) -> list[dict[str, Any]]:
    """Each model with its sums over the tenants."""
    return _dicts(conn, MODELS.encode(), {"tenants": list(tenants)})


def feeds(conn: psycopg.Connection, tenants: Sequence[UUID], now: datetime) -> list[dict[str, Any]]:
    """The newest date with rows of each active tenant, in the models that are to be fresh."""
    return _dicts(conn, FEEDS.encode(), {"tenants": list(tenants), "now": now, "check": IS_FRESH})


def dirty(conn: psycopg.Connection, tenants: Sequence[UUID], now: datetime) -> list[dict[str, Any]]:
    """Every mark, oldest date first."""
    return _dicts(conn, DIRTY.encode(), {"tenants": list(tenants), "now": now})


def failed(conn: psycopg.Connection, tenants: Sequence[UUID]) -> list[dict[str, Any]]:
    """Every date that keeps its last good version, oldest first."""
    return _dicts(conn, FAILED.encode(), {"tenants": list(tenants)})


def rejected(conn: psycopg.Connection, tenants: Sequence[UUID]) -> dict[str, int]:
    """Open rejected rows by record type."""
    return dict(conn.execute(REJECTED, {"tenants": list(tenants)}).fetchall())


def warnings(conn: psycopg.Connection, tenants: Sequence[UUID], today: date) -> list[dict[str, Any]]:
    """Checks that warn of the 30 days up to a tenant's newest rows and have not passed on them later."""
    return _dicts(conn, WARNINGS.encode(), {"tenants": list(tenants), "today": today})


def archived(conn: psycopg.Connection) -> tuple[tuple[date, date], ...]:
    """First and last date of each sealed month."""
    return tuple((first, last) for first, last in conn.execute(ARCHIVED))


def failed_runs(conn: psycopg.Connection, since: datetime) -> list[dict[str, Any]]:
    """Runs of the orchestrator that failed since."""
    return _dicts(conn, FAILED_RUNS.encode(), {"since": since})


def zones(conn: psycopg.Connection, tenants: Sequence[UUID]) -> tuple[str, ...]:
    """The zones of the plants."""
    return tuple(zone for (zone,) in conn.execute(ZONES, {"tenants": list(tenants)}))
