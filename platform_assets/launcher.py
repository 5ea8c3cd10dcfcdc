"""Notices runs whose process is gone; Dagster's own launcher would leave them `started` and in the way for ever."""

import socket

import psutil
from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.events import EngineEventData
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus

HOST_TAG = "takt/host"
"""The machine of a run that the command line executes itself; nobody else can say whether its process lives."""

GONE = "The process that executed the run is gone."

_CLOCK_SLACK_SECONDS = 2.0


def host_tag() -> dict[str, str]:
    """The tag by which a run says that it executes on this machine, outside the daemon."""
    return {HOST_TAG: socket.gethostname()}


class WatchedRunLauncher(DefaultRunLauncher):
    """Launches runs in the code server and tells run monitoring when the process of one has died."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Yes; asked every poll_interval_seconds of run monitoring."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """RUNNING, or FAILED when the process that executes the run no longer exists."""
        if self.has_instance and process_is_gone(self._instance, run):
            return CheckRunHealthResult(WorkerStatus.FAILED, GONE)
        return CheckRunHealthResult(WorkerStatus.RUNNING)


def process_is_gone(instance: DagsterInstance, run: DagsterRun) -> bool:
    """Whether the run has started on this machine in a process that no longer exists."""
    if run.tags.get(HOST_TAG, socket.gethostname()) != socket.gethostname():
        return False
    started = _process_of(instance, run.run_id)
    if started is None:
        return False
    pid, seen_at = started
    try:
        return psutil.Process(pid).create_time() > seen_at + _CLOCK_SLACK_SECONDS
    except psutil.NoSuchProcess:
        return True


def fail_dead_runs(instance: DagsterInstance) -> tuple[str, ...]:
    """Mark as failed every started run whose process is gone; returns their ids. For when no daemon does it."""
    dead: list[str] = []
    for run in instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING])):
        if process_is_gone(instance, run):
            instance.report_run_failed(run, GONE)
            dead.append(run.run_id)
    return tuple(dead)


def _process_of(instance: DagsterInstance, run_id: str) -> tuple[int, float] | None:
    """Process id of the run's newest executor and when it reported itself (seconds since 1970)."""
    for entry in reversed(instance.all_logs(run_id, of_type=DagsterEventType.ENGINE_EVENT)):
        data = entry.dagster_event.event_specific_data if entry.dagster_event else None
        if isinstance(data, EngineEventData) and "pid" in data.metadata:
            return int(str(data.metadata["pid"].value)), entry.timestamp
    return None
