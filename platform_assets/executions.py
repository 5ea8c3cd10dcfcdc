"""What the warehouse remembers of a run: the sensors of the daemon and the command line write the same."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import dagster as dg

from platform_assets import store
from platform_assets.failures import step_error
from platform_assets.partitions import RANGE_END_TAG, RANGE_START_TAG
from platform_core.warehouse.connection import Warehouse, transaction

_STATUS = {
    dg.DagsterRunStatus.SUCCESS: "completed",
    dg.DagsterRunStatus.FAILURE: "failed",
    dg.DagsterRunStatus.CANCELED: "cancelled",
}
_ENDED = frozenset(_STATUS)


def execution_of(instance: dg.DagsterInstance, run_id: str, message: str | None = None) -> store.Execution | None:
    """What is worth remembering of a run: dates, how it ended and, if badly, the failed steps and the first's reason.

    `message` is the reason where no step gives one. None for a run that the instance does not know.
    """
    record = instance.get_run_record_by_id(run_id)
    if record is None:
        return None
    run = record.dagster_run
    events: Sequence[dg.EventLogEntry] = ()
    if run.status != dg.DagsterRunStatus.SUCCESS:
        events = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    error = next(
        (reason for entry in events if (reason := step_error(entry))), message or "It failed; the UI shows why."
    )
    return store.Execution(
        run_id=run_id,
        job_name=run.job_name,
        status=_STATUS.get(run.status, "running"),
        first_date=_date(run.tags.get(RANGE_START_TAG) or run.tags.get("dagster/partition")),
        last_date=_date(run.tags.get(RANGE_END_TAG) or run.tags.get("dagster/partition")),
        error=error if run.status == dg.DagsterRunStatus.FAILURE else None,
        started_at=_moment(record.start_time),
        ended_at=_moment(record.end_time or record.update_timestamp.timestamp()) if run.status in _ENDED else None,
        steps=tuple(entry.step_key for entry in events if entry.step_key),
    )


def remember(instance: dg.DagsterInstance, warehouse: Warehouse, run_id: str, message: str | None = None) -> str | None:
    """Write a run into bi.etl_job_executions, again if need be; returns why it failed."""
    execution = execution_of(instance, run_id, message)
    if execution is None:
        return None
    with transaction(warehouse) as conn:
        store.record_execution(conn, execution)
    return execution.error


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _moment(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
