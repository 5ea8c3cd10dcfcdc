"""The demo's work: generate, ingest in the order of arrival, build, report."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import typer

from dbt_like_sql.project import Project, load_project
from platform_core.clock import utc_now
from platform_core.daily_report.contracts import DailyReport
from platform_core.daily_report.service import daily_report, newest_date
from platform_core.factory.service import generate
from platform_core.ingest.reports import IngestReport
from platform_core.ingest.service import Ingest, ingest_files
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.tenants.service import create_tenant
from platform_core.trace.contracts import Trace
from platform_core.trace.service import trace
from platform_core.warehouse.connection import Role, Warehouse, transaction
from platform_core.warehouse.setup import prepare

if TYPE_CHECKING:
    from platform_assets.summary import Failure

_SHOWN_ROWS = 2


@dataclass(frozen=True)
class DemoPlan:
    """How large the made-up factory is."""

    days: int
    lines: int
    seed: int
    end_date: date | None = None


@dataclass(frozen=True)
class TenantReport:
    """One plant's yesterday."""

    tenant: Tenant
    report: DailyReport


@dataclass(frozen=True)
class DemoResult:
    """What the demo shows."""

    reports: tuple[TenantReport, ...]
    traced: Trace | None
    failures: "tuple[Failure, ...]"


@contextmanager
def step(title: str) -> Generator[None]:
    """One line for each step of the work, with the seconds it took, on standard error."""
    started = utc_now()
    typer.echo(f"{title} ...", err=True)
    yield
    typer.echo(f"  done in {(utc_now() - started).total_seconds():.1f} s", err=True)


def run_demo(settings: Settings, plan: DemoPlan) -> DemoResult:
    """Do the whole job once; a second call on the same day changes nothing and reports the same."""
    last = plan.end_date or utc_now().astimezone(ZoneInfo("Asia/Seoul")).date() - timedelta(days=1)
    first = last - timedelta(days=plan.days - 1)
    files = settings.home / "demo" / f"{last.isoformat()}-{plan.days}-{plan.lines}-{plan.seed}"
    with step("Starting PostgreSQL and making the tables"):
        warehouse = prepare(settings)
    with step(f"Writing the files of two plants, {first} to {last}"):
        generate(files, days=plan.days, lines=plan.lines, tenants=2, seed=plan.seed, end_date=last)
    project = load_project()
    manifest: dict[str, Any] = json.loads((files / "manifest.json").read_text(encoding="utf-8"))
    with step(f"Landing {len(manifest['files'])} files: CSV in CP949, JSON lines, Excel"):
        tenants = _tenants(warehouse, manifest)
        _ingest(warehouse, settings, project, tenants, files, manifest)
    with step("Building staging, facts and marts as one Dagster run"):
        failures = _build(settings, first, last)
    reports = tuple(_report(warehouse, tenant) for tenant in tenants.values())
    return DemoResult(reports, _trace_worst(warehouse, project, reports[0]), failures)


def _tenants(warehouse: Warehouse, manifest: dict[str, Any]) -> dict[str, Tenant]:
    with transaction(warehouse) as conn:
        return {
            entry["slug"]: create_tenant(conn, entry["slug"], entry["display_name"], entry["timezone"])
            for entry in manifest["tenants"]
        }


def _ingest(
    warehouse: Warehouse,
    settings: Settings,
    project: Project,
    tenants: dict[str, Tenant],
    files: Path,
    manifest: dict[str, Any],
) -> None:
    total = IngestReport(())
    for entry in manifest["files"]:
        job = Ingest(warehouse, settings, project, tenants[entry["tenant"]], utc_now())
        done = ingest_files(job, [files / entry["path"]], mapping=entry["mapping"])
        total = IngestReport(total.loads + done.loads, total.failed + done.failed, total.skipped + done.skipped)
    counted = total.outcomes
    typer.echo(
        f"  {counted.rows_read:,} rows read = {counted.landed:,} landed + {counted.corrected:,} corrected"
        f" + {counted.unchanged:,} unchanged + {counted.outdated:,} outdated + {counted.late_sealed:,} late, sealed"
        f" + {counted.rejected:,} rejected",
        err=True,
    )


def _build(settings: Settings, first: date, last: date) -> "tuple[Failure, ...]":
    from platform_assets.run import run_dates

    return run_dates(settings, first, last).failures


def _report(warehouse: Warehouse, tenant: Tenant) -> TenantReport:
    with transaction(warehouse, role=Role.API, tenant=tenant.id, read_only=True) as conn:
        day = newest_date(conn)
        report = daily_report(conn, day) if day else DailyReport(date.min, (), ())
    return TenantReport(tenant, report)


def _trace_worst(warehouse: Warehouse, project: Project, worst: TenantReport) -> Trace | None:
    """The OEE of the first line's worst shift, followed back to its records."""
    lines = worst.report.lines
    if not lines or lines[0].worst_shift is None:
        return None
    where = {
        "date": worst.report.date.isoformat(),
        "line_code": lines[0].line_code,
        "shift": lines[0].worst_shift,
    }
    return trace(
        warehouse, project, "bi.mv_oee_daily", tenant=worst.tenant, where=where, columns=["oee"], limit=_SHOWN_ROWS
    )
