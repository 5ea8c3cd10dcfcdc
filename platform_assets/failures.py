"""Why a step failed, as one sentence for a person."""

import dagster as dg
from dagster._core.execution.plan.objects import StepFailureData


def step_error(entry: dg.EventLogEntry) -> str | None:
    """The innermost reason of a failed step: the error that our code raised, not Dagster's wrapping of it."""
    data = entry.dagster_event.event_specific_data if entry.dagster_event else None
    error = data.error if isinstance(data, StepFailureData) else None
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return None
    return error.message.strip().split("\n", 1)[0].split(": ", 1)[-1]
