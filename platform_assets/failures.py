"""Why a run failed, as one sentence for a person."""

from datetime import UTC, date, datetime

import dagster as dg
from dagster._core.execution.plan.objects import StepFailureData

from platform_assets import store
from platform_assets.partitions import RANGE_END_TAG, RANGE_START_TAG
from platform_core.clock import utc_now


def failed_run(instance: dg.DagsterInstance, run: dg.DagsterRun, message: str) -> store.FailedRun:
    """What is worth remembering of a failed run: dates, failed steps and the first one's error."""
    events = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    steps = tuple(entry.step_key for entry in events if entry.step_key)
    record = instance.get_run_record_by_id(run.run_id)
    return store.FailedRun(
        run_id=run.run_id,
        job_name=run.job_name,
        first_date=_date(run.tags.get(RANGE_START_TAG) or run.tags.get("dagster/partition")),
        last_date=_date(run.tags.get(RANGE_END_TAG) or run.tags.get("dagster/partition")),
        error=next((reason for entry in events if (reason := step_error(entry))), message),
        started_at=_moment(record.start_time if record else None),
        ended_at=_moment(record.end_time if record else None) or utc_now(),
        steps=steps,
    )


def step_error(entry: dg.EventLogEntry) -> str | None:
    """The innermost reason of a failed step: the error that our code raised, not Dagster's wrapping of it."""
    data = entry.dagster_event.event_specific_data if entry.dagster_event else None
    error = data.error if isinstance(data, StepFailureData) else None
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return None
    return error.message.strip().split("\n", 1)[0].split(": ", 1)[-1]


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _moment(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
