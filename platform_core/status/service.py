"""Reads the status of the warehouse."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from platform_core.ingest.record_types import RECORD_TYPES, RecordType, staging_model
from platform_core.status import store
from platform_core.status.contracts import CheckWarning, FailedRun, Feed, ModelStatus, OpenDate, Status
from platform_core.status.timetable import next_master_data, next_refresh, next_runs
from platform_core.tenants.service import get_tenant, list_tenants
from platform_core.warehouse.connection import Warehouse, transaction
from platform_core.warehouse.errors import MigrationError

_FAILED_RUNS_OF = timedelta(days=7)


def read_status(warehouse: Warehouse, *, now: datetime, tenant: str | None = None) -> Status:
    """The status for one tenant (by slug) or for all; raises TenantNotFoundError, MigrationError without our tables."""
    with transaction(warehouse, read_only=True) as conn:
        if not store.has_tables(conn):
            raise MigrationError("The warehouse has no tables yet.", hint="Run takt init.")
        tenants = (get_tenant(conn, tenant),) if tenant else list_tenants(conn)
        ids = [known.id for known in tenants]
        feeds = tuple(Feed(**row) for row in store.feeds(conn, ids, now))
        rejected = store.rejected(conn, ids)
        zones = store.zones(conn, ids)
        return Status(
            tenants=tuple(known.slug for known in tenants),
            models=_models(store.models(conn, ids), feeds, rejected, zones, now),
            dirty=tuple(OpenDate(**row) for row in store.dirty(conn, ids, now)),
            failed=tuple(OpenDate(**row) for row in store.failed(conn, ids)),
            feeds=feeds,
            warnings=tuple(CheckWarning(**row) for row in store.warnings(conn, ids, now.date())),
            rejected=rejected,
            archived=store.archived(conn),
            failed_runs=tuple(FailedRun(**row) for row in store.failed_runs(conn, now - _FAILED_RUNS_OF)),
            next_runs=next_runs(zones, now),
        )


def _models(
    rows: Sequence[Mapping[str, Any]],
    feeds: Sequence[Feed],
    rejected: Mapping[str, int],
    zones: Sequence[str],
    now: datetime,
) -> tuple[ModelStatus, ...]:
    """Each model with what is rejected before it, how fresh it is, and when it is made anew next."""
    rejected_by_model = {
        _first_model(RECORD_TYPES[name]): count for name, count in rejected.items() if name in RECORD_TYPES
    }
    fresh: dict[str, bool] = {}
    for feed in feeds:
        fresh[feed.model] = fresh.get(feed.model, True) and not feed.is_stale
    refresh, master_data = next_refresh(zones, now), next_master_data(zones, now)
    return tuple(
        ModelStatus(
            **row,
            rejected=rejected_by_model.get(row["model"], 0),
            fresh=fresh.get(row["model"]),
            next_run=master_data if row["kind"] == "table" else refresh,
        )
        for row in rows
    )


def _first_model(kind: RecordType) -> str:
    """The model that reads the records of a type."""
    return staging_model(kind.name) if kind.dated else f"bi.dim_{kind.name}"
