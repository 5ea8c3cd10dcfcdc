"""The demo's work: generate, ingest in the order of arrival, build, report."""

import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import typer

from dbt_like_sql.project import Project, load_project
from platform_cli.progress import Bar, short
from platform_core.clock import utc_now
from platform_core.daily_report.contracts import DailyReport
from platform_core.daily_report.service import daily_report, newest_date
from platform_core.factory.service import generate
from platform_core.ingest.reports import IngestReport
from platform_core.ingest.service import Ingest, ingest_files
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.trace.contracts import Trace
from platform_core.trace.service import trace
from platform_core.warehouse.connection import Role, Warehouse, transaction
from platform_core.warehouse.setup import add_tenant, prepare

if TYPE_CHECKING:
    from platform_assets.summary import Failure, StepDone

_SHOWN_ROWS = 2
_HEARTBEAT_SECONDS = 10.0


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


class Step:
    """One step of the work while it goes on: a bar on a terminal, in a log a line now and then."""

    def __init__(self, title: str, bar: Bar) -> None:
        self._title, self._bar = title, bar
        self._reached = ""

    def say(self, text: str) -> None:
        """A line about it."""
        self._bar.echo(text, err=True)

    def reach(self, done: int, total: int, what: str = "") -> None:
        """How many parts of it are done, and which one is the present."""
        self._reached = f", {done} of {total}"
        self._bar.show(completed=done, total=total, description=f"{self._title}: {what}" if what else self._title)

    def beat(self, ended: Event, every: float) -> None:
        """Say that it still goes on until it has ended, and how far it is."""
        began = time.monotonic()
        while not ended.wait(every):
            typer.echo(f"  {time.monotonic() - began:.0f} s{self._reached} ...", err=True)


@contextmanager
def step(title: str, *, heartbeat: float = _HEARTBEAT_SECONDS) -> Generator[Step]:
    """A line when a step of the work begins and one with the seconds when it is done, on standard error."""
    began = time.monotonic()
    typer.echo(f"{title} ...", err=True)
    ended = Event()
    with Bar(title) as bar:
        current = Step(title, bar)
        beating = None if bar.is_shown else Thread(target=current.beat, args=(ended, heartbeat), daemon=True)
        if beating is not None:
            beating.start()
        try:
            yield current
        finally:
            ended.set()
            if beating is not None:
                beating.join()
    typer.echo(f"  done in {time.monotonic() - began:.1f} s", err=True)


def run_demo(settings: Settings, plan: DemoPlan) -> DemoResult:
    """Do the whole job once; a second call on the same day changes nothing and reports the same."""
    last = plan.end_date or utc_now().astimezone(ZoneInfo("Asia/Seoul")).date() - timedelta(days=1)
    first = last - timedelta(days=plan.days - 1)
    files = settings.home / "demo" / f"{last.isoformat()}-{plan.days}-{plan.lines}-{plan.seed}"
    with step("Starting PostgreSQL and making the tables"):
        warehouse = prepare(settings)
    with step(f"Writing the files of two plants, {first} to {last}") as writing:
        size: dict[str, Any] = {"days": plan.days, "lines": plan.lines, "tenants": 2, "seed": plan.seed}
        generate(files, **size, end_date=last, steps=writing.reach)
    project = load_project()
    manifest: dict[str, Any] = json.loads((files / "manifest.json").read_text(encoding="utf-8"))
    with step(f"Landing {len(manifest['files'])} files: CSV in CP949, JSON lines, Excel") as landing:
        tenants = _tenants(warehouse, settings, project, manifest)
        _ingest(warehouse, settings, project, tenants, files, manifest, landing)
    with step("Building staging, facts and marts as one Dagster run") as building:
        failures = _build(settings, first, last, building)
    reports = tuple(_report(warehouse, tenant) for tenant in tenants.values())
    return DemoResult(reports, _trace_worst(warehouse, project, reports[0]), failures)


def _tenants(warehouse: Warehouse, settings: Settings, project: Project, manifest: dict[str, Any]) -> dict[str, Tenant]:
    return {
        each["slug"]: add_tenant(warehouse, settings, project, each["slug"], each["display_name"], each["timezone"])
        for each in manifest["tenants"]
    }


def _ingest(
    warehouse: Warehouse,
    settings: Settings,
    project: Project,
    tenants: dict[str, Tenant],
    files: Path,
    manifest: dict[str, Any],
    landing: Step,
) -> None:
    total = IngestReport(())
    for done, entry in enumerate(manifest["files"]):
        landing.reach(done, len(manifest["files"]), short(entry["path"]))
        job = Ingest(warehouse, settings, project, tenants[entry["tenant"]], utc_now())
        one = ingest_files(job, [files / entry["path"]], mapping=entry["mapping"])
        total = IngestReport(total.loads + one.loads, total.failed + one.failed, total.skipped + one.skipped)
    counted = total.outcomes
    landing.say(
        f"  {counted.rows_read:,} rows read = {counted.landed:,} landed + {counted.corrected:,} corrected"
        f" + {counted.unchanged:,} unchanged + {counted.outdated:,} outdated + {counted.late_sealed:,} late, sealed"
        f" + {counted.rejected:,} rejected"
    )


def _build(settings: Settings, first: date, last: date, building: Step) -> "tuple[Failure, ...]":
    from platform_assets.run import run_dates

    def made(asset: "StepDone") -> None:
        building.reach(asset.done, asset.total, asset.asset)

    return run_dates(settings, first, last, progress=made).failures


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
