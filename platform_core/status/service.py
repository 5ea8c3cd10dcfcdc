"""Reads the status of the warehouse."""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from platform_core.status import store
from platform_core.status.contracts import FailedRun, ModelStatus, OpenDate, Status
from platform_core.tenants.service import get_tenant, list_tenants
from platform_core.warehouse.connection import Warehouse, transaction
from platform_core.warehouse.errors import MigrationError

DAILY_REFRESH = time(2, 0)
"""When the daily refresh comes, by each plant's clock."""

_FAILED_RUNS_OF = timedelta(days=7)


def read_status(warehouse: Warehouse, *, now: datetime, tenant: str | None = None) -> Status:
    """The status for one tenant (by slug) or for all; raises TenantNotFoundError, MigrationError without our tables."""
    with transaction(warehouse, read_only=True) as conn:
        if not store.has_tables(conn):
            raise MigrationError("The warehouse has no tables yet.", hint="Run takt init.")
        tenants = (get_tenant(conn, tenant),) if tenant else list_tenants(conn)
        ids = [known.id for known in tenants]
        return Status(
            tenants=tuple(known.slug for known in tenants),
            models=tuple(ModelStatus(**row) for row in store.models(conn, ids)),
            dirty=tuple(OpenDate(**row) for row in store.dirty(conn, ids, now)),
            failed=tuple(OpenDate(**row) for row in store.failed(conn, ids)),
            rejected=store.rejected(conn, ids),
            archived=store.archived(conn),
            failed_runs=tuple(FailedRun(**row) for row in store.failed_runs(conn, now - _FAILED_RUNS_OF)),
            next_runs=next_runs(store.zones(conn, ids), now),
        )


def next_runs(zones: Iterable[str], now: datetime) -> tuple[tuple[str, datetime], ...]:
    """By zone, the next 02:00 of its clock after `now` in UTC, soonest first; a zone that does not exist has none.

    On the day on which the clocks jump over 02:00 it is the moment to which they jump.
    """
    found: list[tuple[str, datetime]] = []
    for name in zones:
        try:
            zone = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
        day = now.astimezone(zone).date()
        moments = (datetime.combine(day + timedelta(days=ahead), DAILY_REFRESH, zone) for ahead in range(3))
        found.append((name, next(moment.astimezone(UTC) for moment in moments if moment > now)))
    return tuple(sorted(found, key=lambda item: (item[1], item[0])))
