"""What starts runs when something happens: dirty dates, files in the inbox; and what remembers how runs ended."""

# Dagster leaves type parameters of some decorators open.
# pyright: reportUnknownMemberType=false

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from dbt_like_sql.project import Project
from platform_assets import store
from platform_assets.assets.inbox import waiting_files
from platform_assets.dirty_plan import PlannedRun, fingerprint, fingerprint_of_files, plan
from platform_assets.executions import remember
from platform_assets.jobs import DAILY, DIMENSIONS, INBOX
from platform_assets.metadata import relation_key
from platform_assets.partitions import range_tags
from platform_assets.plants import latest_zone, today_in
from platform_assets.resources import WarehouseResource
from platform_core.warehouse.connection import transaction

DIRTY_TAG = "takt/dirty"
"""On a run that makes dirty dates anew; while one is under way, no other is asked for."""

RETRY_AFTER = timedelta(minutes=30)
"""Marks that a run has left as they were (a broken date, a failed run) are tried again after this time, not at once."""

INBOX_RETRY_AFTER = timedelta(minutes=10)

RUNS_PER_TICK = 20

UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def sensors(
    project: Project, zones: Sequence[str], first_date: date, jobs: Sequence[UnresolvedAssetJobDefinition]
) -> list[dg.SensorDefinition]:
    """Every sensor of this installation."""
    dated = [job for job in jobs if job.name in (DAILY, DIMENSIONS)]
    inbox = [job for job in jobs if job.name == INBOX]
    return [
        dirty_dates_sensor(project, zones, first_date, dated),
        inbox_sensor(inbox),
        failed_runs_sensor(),
        completed_runs_sensor(),
    ]


def dirty_dates_sensor(
    project: Project,
    zones: Sequence[str],
    first_date: date,
    jobs: Sequence[UnresolvedAssetJobDefinition],
) -> dg.SensorDefinition:
    """Makes exactly those dates anew that something has changed, each contiguous range as one run."""

    @dg.sensor(
        name="dirty_dates",
        jobs=jobs,
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=15,
        description="Dates that a late, corrected or moved record, changed master data or a changed model made dirty.",
    )
    def dirty_dates(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult:
        under_way = context.instance.get_runs(dg.RunsFilter(tags={DIRTY_TAG: "yes"}, statuses=UNDER_WAY), limit=1)
        if under_way:
            return _skip(context, f"Run {under_way[0].run_id} makes dirty dates anew.")
        now = warehouse.now()
        with transaction(warehouse.open(), read_only=True) as conn:
            marks = store.due_marks(conn, now)
        if not marks:
            return _skip(context, "No date is dirty.")
        mark = fingerprint(marks)
        if _tried_lately(context.cursor, mark, now):
            return _skip(context, "The last run left these dates dirty; they are tried again half an hour after it.")
        runs = plan(project, marks, first_date, today_in(latest_zone(zones, now), now))[:RUNS_PER_TICK]
        cursor = json.dumps({"fingerprint": mark, "at": now.isoformat()})
        return dg.SensorResult(run_requests=[_request(run) for run in runs], cursor=cursor)

    return dirty_dates


def inbox_sensor(jobs: Sequence[UnresolvedAssetJobDefinition]) -> dg.SensorDefinition:
    """Starts the reading of files that lie in a tenant's inbox."""

    @dg.sensor(
        name="inbox_files",
        jobs=jobs,
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="Files in TAKT_HOME/tenants/<tenant>/inbox.",
    )
    def inbox_files(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult:
        if context.instance.get_runs(dg.RunsFilter(job_name=INBOX, statuses=UNDER_WAY), limit=1):
            return _skip(context, "Files are being read.")
        files = [path for slug in warehouse.tenant_names().values() for path in waiting_files(warehouse.settings, slug)]
        if not files:
            return _skip(context, "No inbox holds a file.")
        # The same files are tried again after a while, not at once: a run that fails puts them back.
        spell = int(warehouse.now().timestamp() // INBOX_RETRY_AFTER.total_seconds())
        key = f"{fingerprint_of_files(files)}:{spell}"
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=key, job_name=INBOX)], cursor=context.cursor)

    return inbox_files


def failed_runs_sensor() -> dg.SensorDefinition:
    """Remembers failed runs in bi.etl_job_executions, where takt status finds them."""

    @dg.run_failure_sensor(
        name="failed_runs",
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="Writes every failed run into bi.etl_job_executions, from which takt status reports it.",
    )
    def failed_runs(context: dg.RunFailureSensorContext, warehouse: WarehouseResource) -> None:
        run = context.dagster_run
        error = remember(context.instance, warehouse.open(), run.run_id, context.failure_event.message)
        context.log.error("Run %s of %s failed: %s", run.run_id, run.job_name, error)

    return failed_runs


def completed_runs_sensor() -> dg.SensorDefinition:
    """Remembers the runs that went well, so that the warehouse itself can tell when what was made."""

    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.SUCCESS,
        name="completed_runs",
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="Writes every completed run into bi.etl_job_executions.",
    )
    def completed_runs(context: dg.RunStatusSensorContext, warehouse: WarehouseResource) -> None:
        remember(context.instance, warehouse.open(), context.dagster_run.run_id)

    return completed_runs


def _request(run: PlannedRun) -> dg.RunRequest:
    return dg.RunRequest(
        job_name=DAILY if run.dates else DIMENSIONS,
        asset_selection=[relation_key(relation) for relation in run.relations],
        tags={DIRTY_TAG: "yes", **(range_tags(run.dates) if run.dates else {})},
    )


def _tried_lately(cursor: str | None, mark: str, now: datetime) -> bool:
    if cursor is None:
        return False
    last = json.loads(cursor)
    return last["fingerprint"] == mark and now - datetime.fromisoformat(last["at"]) < RETRY_AFTER


def _skip(context: dg.SensorEvaluationContext, reason: str) -> dg.SensorResult:
    return dg.SensorResult(skip_reason=reason, cursor=context.cursor)
