"""What runs of the assets have done, gathered from their events while they run."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from platform_assets.failures import step_error
from platform_assets.partitions import DateRange


@dataclass(frozen=True)
class StepDone:
    """One asset of a run has ended."""

    asset: str
    """Its relation, for example `bi.fact_daily_production`."""
    done: int
    total: int
    rows: int
    failed: int
    """How many (tenant, date)s kept their last good version."""
    error: str | None = None
    dates: DateRange | None = None
    """Those of the run; None for one without dates."""


Progress = Callable[[StepDone], None]


@dataclass(frozen=True)
class Failure:
    """A date that was not published, or an asset that could not run at all (then without a tenant)."""

    tenant: str | None
    date: str | None
    model: str
    reason: str


@dataclass(frozen=True)
class RunSummary:
    """What one or several runs did."""

    runs: tuple[str, ...] = ()
    """Ids of the Dagster runs."""
    dates: tuple[DateRange, ...] = ()
    rows: dict[str, int] = field(default_factory=dict[str, int])
    """Rows made, by relation."""
    failures: tuple[Failure, ...] = ()
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether everything was published."""
        return not self.failures

    def plus(self, other: "RunSummary") -> "RunSummary":
        """Both together."""
        rows = {name: self.rows.get(name, 0) + other.rows.get(name, 0) for name in {**self.rows, **other.rows}}
        return RunSummary(
            (*self.runs, *other.runs),
            (*self.dates, *other.dates),
            rows,
            (*self.failures, *other.failures),
            self.seconds + other.seconds,
        )


_INTERRUPTIONS = frozenset({"DagsterExecutionInterruptedError", "KeyboardInterrupt"})


class Gatherer:
    """Listens to one run's events; tells `progress` of each asset that ended."""

    def __init__(self, total: int, dates: DateRange | None, progress: Progress | None) -> None:
        self.rows: dict[str, int] = {}
        self.failures: list[Failure] = []
        self.interrupted = False
        """Whether somebody pressed Ctrl-C: Dagster takes that for a step that failed."""
        self._broken: dict[str, list[Failure]] = {}
        self._total = total
        self._dates = dates
        self._progress = progress
        self._done = 0

    def __call__(self, entry: dg.EventLogEntry) -> None:
        """Take one event."""
        event = entry.dagster_event
        if event is None:
            return
        if event.is_step_materialization:
            self._materialized(event)
        elif event.is_step_success:
            self._ended(_relation(entry.step_key), None)
        elif event.is_step_failure:
            error = event.step_failure_data.error
            self.interrupted |= error is not None and error.cls_name in _INTERRUPTIONS
            asset = _relation(entry.step_key)
            reason = step_error(entry) or "It failed."
            self.failures.append(Failure(None, str(self._dates) if self._dates else None, asset, reason))
            self._ended(asset, reason)

    def _materialized(self, event: dg.DagsterEvent) -> None:
        made = event.step_materialization_data.materialization
        asset = ".".join(made.asset_key.path)
        if asset in self.rows:  # one event for each date of a range, all with the same metadata
            return
        found: dict[str, Any] = {name: value.value for name, value in made.metadata.items()}
        self.rows[asset] = found.get("dagster/row_count", found.get("dagster/partition_row_count", 0))
        for each in found.get("failed", ()):
            failure = Failure(each["tenant"], each["date"] or None, asset, each["reason"])
            self.failures.append(failure)
            self._broken.setdefault(asset, []).append(failure)

    def _ended(self, asset: str, error: str | None) -> None:
        self._done += 1
        if self._progress:
            broken = len(self._broken.get(asset, []))
            self._progress(
                StepDone(asset, self._done, self._total, self.rows.get(asset, 0), broken, error, self._dates)
            )


def _relation(step_key: str | None) -> str:
    """The relation of a step: Dagster joins the parts of an asset key with two underscores."""
    return (step_key or "").replace("__", ".", 1)
