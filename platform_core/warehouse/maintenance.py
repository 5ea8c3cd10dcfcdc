"""Keeping the warehouse in shape: partitions ahead of time, left-overs of killed runs, old results, old months."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import psycopg

from dbt_like_sql.project import Project
from platform_core.settings import Settings
from platform_core.warehouse import archive
from platform_core.warehouse.connection import Warehouse, transaction
from platform_core.warehouse.shapes import shape_of
from platform_core.warehouse.store import maintenance as store
from platform_core.warehouse.store import partitions

RAW = "core.erp_mes_data"
DAYS_AHEAD = 92
"""Partitions are there three months before their first date."""


@dataclass(frozen=True)
class MaintenanceReport:
    """What one round of maintenance did."""

    partitions_made: tuple[str, ...]
    candidates_swept: tuple[str, ...]
    results_removed: int
    months_archived: tuple[date, ...]


def ensure_partitions(
    conn: psycopg.Connection, relation: str, first: date, last: date, *, by: Literal["month", "quarter"] = "month"
) -> tuple[str, ...]:
    """Make the partitions of `relation` that miss between two dates, both included; returns those it made.

    It locks out no reader or writer, but another session making partitions of the same relation waits until the
    caller's transaction ends: call it in a short one.
    """
    return partitions.ensure(conn, relation, first, last, by)


def maintain(warehouse: Warehouse, settings: Settings, project: Project, today: date) -> MaintenanceReport:
    """Make partitions ahead, drop candidates that no run holds, delete old check results, archive old months.

    Archiving happens only where `settings.archive_raw_after_days` says so.
    """
    until = today + timedelta(days=DAYS_AHEAD)
    made: list[str] = []
    for relation, step in _partitioned(project).items():
        with transaction(warehouse) as conn:
            made += partitions.ensure(conn, relation, today, until, step)
    swept: list[str] = []
    with transaction(warehouse, read_only=True) as conn:
        leftovers = store.leftovers(conn)
    for table in leftovers:
        with transaction(warehouse) as conn:
            swept += [table] if store.sweep(conn, table) else []
    with transaction(warehouse) as conn:
        removed = store.remove_old_results(conn, settings.keep_check_results_days)
    archived = archive.seal_older_months(warehouse, settings, project, today)
    return MaintenanceReport(tuple(made), tuple(swept), removed, archived)


def _partitioned(project: Project) -> dict[str, Literal["month", "quarter"]]:
    steps: dict[str, Literal["month", "quarter"]] = {RAW: "month"}
    for relation in project.dated:
        steps[relation] = shape_of(project.models[relation]).step or "month"
    return steps
