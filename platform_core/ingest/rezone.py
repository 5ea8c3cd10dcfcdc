"""A tenant moves to another time zone: its records are dated anew, as corrections that nobody sent."""

import re
from dataclasses import dataclass
from datetime import date, datetime

import psycopg

from dbt_like_sql.project import Project
from platform_core.ingest.dated import mark_staging
from platform_core.ingest.redate import BY_TIME, Redater
from platform_core.ingest.store import calendar, master, records
from platform_core.ingest.store.records import Scope
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.tenants.service import get_tenant, set_timezone
from platform_core.warehouse.connection import Warehouse, transaction
from platform_core.warehouse.dirty import UNDATED, mark_dirty


@dataclass(frozen=True)
class Rezoned:
    """What the change of a zone has moved: how many records to another date, and the dates to be made anew."""

    tenant: str
    before: str
    after: str
    records: int
    dates: tuple[date, ...]


def change_timezone(
    warehouse: Warehouse, settings: Settings, project: Project, slug: str, timezone: str, *, now: datetime
) -> Rezoned | None:
    """Give a tenant that zone and its records the dates of it, all or nothing; None when it has the zone already.

    Waits for landings of the tenant, and keeps them out meanwhile. Raises TenantNotFoundError and TenantInvalidError.
    """
    with transaction(warehouse) as conn:
        tenant = get_tenant(conn, slug)
        records.lock_calendar(conn, tenant.id, to_change=True)
        tenant = get_tenant(conn, slug)  # what it is now that nobody else can change it
        if tenant.timezone == timezone:
            return None
        set_timezone(conn, slug, timezone)
        reason = f"time zone changed from {tenant.timezone} to {timezone}"
        dates = _mark_models(conn, project, tenant, reason)
        placed = calendar.load(conn, tenant.id)
        assert placed is not None, slug
        redater = Redater(warehouse, tenant.id, placed, settings.first_date, now)
        for kind in BY_TIME:
            moved = redater.redate(conn, kind)
            mark_staging(conn, project, Scope(tenant.id, kind.name, ""), moved, reason=reason)
            dates |= moved
    return Rezoned(slug, tenant.timezone, timezone, redater.redated.total(), tuple(sorted(dates)))


def _mark_models(conn: psycopg.Connection, project: Project, tenant: Tenant, reason: str) -> set[date]:
    """Mark what reads a zone itself: those rows change even where no record moves."""
    marked: set[date] = set()
    for name, model in project.models.items():
        if model.spec.materialized == "view" or "timezone" not in re.findall(r"\w+", model.sql):
            continue
        dates = master.dates_with(conn, tenant.id, name, [], []) if model.is_dated else {UNDATED}
        mark_dirty(conn, tenant.id, name, dates, reason=reason)
        marked |= dates - {UNDATED}
    return marked
