"""Runs the assets in this process, on the instance that the UI shows: what `takt backfill` and `takt refresh` call."""

# Dagster leaves type parameters of some methods open.
# pyright: reportUnknownMemberType=false

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from time import monotonic

import dagster as dg
from dagster._core.utils import make_new_run_id

from dbt_like_sql.errors import ModelError
from dbt_like_sql.project import Project, load_project
from platform_assets import store
from platform_assets.dirty_plan import PlannedRun, plan
from platform_assets.environment import settings_in_force
from platform_assets.errors import DatesNotHeldError, RunInterruptedError, UnknownAssetError
from platform_assets.executions import remember
from platform_assets.instance import open_instance
from platform_assets.jobs import DAILY, DIMENSIONS
from platform_assets.launcher import GONE, fail_dead_runs, host_tag
from platform_assets.location import build_definitions
from platform_assets.metadata import relation_key
from platform_assets.partitions import DateRange, range_tags
from platform_assets.plants import latest_zone, plant_zones, today_in
from platform_assets.resources import WarehouseAccess
from platform_assets.summary import Failure, Gatherer, Progress, RunSummary
from platform_core.clock import utc_now
from platform_core.settings import Settings
from platform_core.warehouse.connection import Warehouse, transaction
from platform_core.warehouse.expectations import warm_up

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run_dates(
    settings: Settings,
    first: date | None,
    last: date | None,
    *,
    select: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> RunSummary:
    """Make the production dates from `first` to `last` anew (None: today), raw records to marts, as one run.

    Dimensions that are dirty come before, as a run of their own. `select` names models (`fact_daily_production`) or is
    in Dagster's selection syntax (`*bi/mv_oee_daily` with all that is upstream of it, `group:marts`). Raises
    DatesNotHeldError, UnknownAssetError.
    """
    newest = today(settings)
    dates = DateRange(first or newest, last or newest)
    _check(settings, dates, newest)
    with _session(settings) as session:
        selection = session.select(select) if select else None
        summary = session.dimensions(progress)
        return summary.plus(session.execute(DAILY, selection, dates, progress))


def run_dirty(settings: Settings, *, progress: Progress | None = None) -> RunSummary:
    """Make exactly what is dirty anew: dimensions first, then each contiguous range of dates as one run."""
    with _session(settings) as session:
        summary = session.dimensions(progress)
        for planned in session.planned():
            keys = [relation_key(relation) for relation in planned.relations]
            summary = summary.plus(session.execute(DAILY, keys, planned.dates, progress))
        return summary


def today(settings: Settings) -> date:
    """The production date of the plant whose date is latest."""
    now = utc_now()
    return today_in(latest_zone(plant_zones(settings), now), now)


def _check(settings: Settings, dates: DateRange, newest: date) -> None:
    """Raise DatesNotHeldError unless the warehouse holds the dates."""
    if dates.first > dates.last:
        raise DatesNotHeldError(f"{dates.first} is after {dates.last}.", hint="Give the earlier date first.")
    if dates.first < settings.first_date:
        raise DatesNotHeldError(
            f"{dates.first} is before {settings.first_date}, the first production date held.",
            hint="Set TAKT_FIRST_DATE to an earlier date.",
        )
    if dates.last > newest:
        raise DatesNotHeldError(
            f"{dates.last} is after today, {newest}.",
            hint="Records dated ahead of today, such as orders, are made with today.",
        )


@contextmanager
def _session(settings: Settings) -> "Generator[_Session]":
    warm_up()  # the library that checks is imported while PostgreSQL works
    project = load_project()
    with settings_in_force(settings):
        warehouse = WarehouseAccess().open(project)
    with open_instance(settings) as instance:
        for run_id in fail_dead_runs(instance):
            remember(instance, warehouse, run_id, GONE)
        yield _Session(settings, warehouse, project, build_definitions(project), instance)


@dataclass(frozen=True)
class _Session:
    """One process's work on the instance."""

    settings: Settings
    warehouse: Warehouse
    project: Project
    definitions: dg.Definitions
    instance: dg.DagsterInstance

    def select(self, names: Sequence[str]) -> list[dg.AssetKey]:
        """Keys of the selected assets that belong to the daily job."""
        graph = self.definitions.resolve_asset_graph()
        keys: set[dg.AssetKey] = set()
        for name in names:
            try:
                keys.add(relation_key(self.project.model(name).relation))
            except ModelError as unknown:
                try:
                    found = dg.AssetSelection.from_string(name).resolve(graph)
                except (dg.DagsterInvalidSubsetError, dg.DagsterInvalidDefinitionError, ValueError):
                    found = set[dg.AssetKey]()
                if not found:
                    raise UnknownAssetError(f"{name!r} selects no asset.", hint=unknown.hint) from unknown
                keys |= found
        dated = {key for key in keys if graph.get(key).partitions_def is not None}
        if not dated:
            raise UnknownAssetError(f"{', '.join(names)} selects nothing that has dates.")
        return sorted(dated)

    def planned(self) -> tuple[PlannedRun, ...]:
        """The runs that what is dirty asks for."""
        now = utc_now()
        with transaction(self.warehouse, read_only=True) as conn:
            marks = store.due_marks(conn, now)
        return plan(self.project, marks, self.settings.first_date, today(self.settings))

    def dimensions(self, progress: Progress | None) -> RunSummary:
        """Make the dirty dimensions anew, if there are any."""
        summary = RunSummary()
        for planned in self.planned():
            if planned.dates is None:
                keys = [relation_key(relation) for relation in planned.relations]
                summary = summary.plus(self.execute(DIMENSIONS, keys, None, progress))
        return summary

    def execute(
        self, job_name: str, keys: Sequence[dg.AssetKey] | None, dates: DateRange | None, progress: Progress | None
    ) -> RunSummary:
        """One run in this process; a broken date or asset ends in the summary and raises nothing."""
        began = monotonic()
        job = self.definitions.resolve_job_def(job_name)
        run_id = make_new_run_id()
        total = len(keys) if keys else len(list(job.asset_layer.executable_asset_keys))
        gatherer = Gatherer(total, dates, progress)
        self.instance.add_event_listener(run_id, gatherer)
        try:
            result = job.execute_in_process(
                run_config=_QUIET,
                instance=self.instance,
                asset_selection=list(keys) if keys else None,
                run_id=run_id,
                tags={**(range_tags(dates) if dates else {}), **host_tag(), "takt/asked_by": "command line"},
                raise_on_error=False,
            )
        finally:  # also when it is interrupted; a daemon, whose sensors do the same, need not be there
            remember(self.instance, self.warehouse, run_id)
        if gatherer.interrupted:
            raise RunInterruptedError(
                "Interrupted. What was published by then stays, every other date keeps its last good version.",
                hint="The same command again makes the rest.",
            )
        failures = list(gatherer.failures)
        if not result.success and not failures:
            failures.append(Failure(None, str(dates) if dates else None, job_name, "The run failed; the UI shows why."))
        return RunSummary(
            (run_id,), (dates,) if dates else (), gatherer.rows, tuple(failures), round(monotonic() - began, 3)
        )
