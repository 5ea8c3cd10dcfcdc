"""The status of the warehouse, as `takt status` shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True)
class OpenDate:
    """A date of a model that is dirty or failed, and why; `date` is None for a model without dates."""

    tenant: str
    model: str
    date: date | None
    reason: str
    due_at: datetime | None = None
    """Of a dirty date that is not due at once: when it is."""
    last_good_rows: int | None = None
    """Of a failed date: the rows of the version that readers go on seeing; None if there never was one."""


@dataclass(frozen=True)
class ModelStatus:
    """One model: how far it is filled and how fresh that is."""

    model: str
    kind: str
    rows: int
    last_good_date: date | None
    """The newest published date; None for a model without dates, or when nothing is published."""
    published_at: datetime | None
    dirty: int
    failed: int

    def age_hours(self, now: datetime) -> float | None:
        """Hours since anything of it was published; None when nothing ever was."""
        return None if self.published_at is None else (now - self.published_at).total_seconds() / 3600


@dataclass(frozen=True)
class FailedRun:
    """A run of the orchestrator that failed lately."""

    run_id: str
    job: str
    ended_at: datetime | None
    error: str


@dataclass(frozen=True)
class Status:
    """Everything that `takt status` shows, for all tenants or for one."""

    tenants: tuple[str, ...]
    models: tuple[ModelStatus, ...]
    dirty: tuple[OpenDate, ...]
    failed: tuple[OpenDate, ...]
    rejected: Mapping[str, int]
    """Rows that could not be used and are still open, by record type."""
    archived: tuple[tuple[date, date], ...]
    failed_runs: tuple[FailedRun, ...]
    next_runs: tuple[tuple[str, datetime], ...]
    """By plant zone, when the daily refresh comes next (UTC), soonest first."""
