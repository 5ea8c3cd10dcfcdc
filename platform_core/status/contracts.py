"""The status of the warehouse, as `takt status` shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any


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
    """The newest published date that has rows; None for a model without dates, or when nothing has any."""
    published_to: date | None
    """The newest published date, also one for which nothing has come."""
    published_at: datetime | None
    dirty: int
    failed: int
    rejected: int = 0
    """Open rejected rows of the record type that it reads."""
    fresh: bool | None = None
    """False when a tenant's newest rows are older than the model allows; None where it says nothing about that."""
    next_run: datetime | None = None
    """When a schedule makes it anew (UTC), while the scheduler runs."""

    def age_hours(self, now: datetime) -> float | None:
        """Hours since anything of it was published; None when nothing ever was."""
        return None if self.published_at is None else (now - self.published_at).total_seconds() / 3600


@dataclass(frozen=True)
class Feed:
    """The newest rows of a tenant in a model that is to be fresh."""

    tenant: str
    model: str
    newest_date: date
    """The newest date that has rows."""
    hours: float
    """Since that date ended by the tenant's clock; below zero while it lasts."""
    hours_allowed: int

    @property
    def is_stale(self) -> bool:
        """Whether it is older than the model allows."""
        return self.hours > self.hours_allowed


@dataclass(frozen=True)
class CheckWarning:
    """A check that warns of dates of a model; they are published all the same."""

    tenant: str
    model: str
    name: str
    dates: int
    newest_date: date
    sample: Sequence[Mapping[str, Any]]
    """Some rows of the newest date that it warns of."""


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
    feeds: tuple[Feed, ...]
    """Of the models that are to be fresh; a tenant that never had rows there is not among them."""
    warnings: tuple[CheckWarning, ...]
    """Of the 30 days up to a tenant's newest rows, the newest first."""
    rejected: Mapping[str, int]
    """Rows that could not be used and are still open, by record type."""
    archived: tuple[tuple[date, date], ...]
    failed_runs: tuple[FailedRun, ...]
    next_runs: tuple[tuple[str, datetime], ...]
    """By plant zone, when the daily refresh comes next (UTC), soonest first."""
