"""What building the tables hands to others: results of checks, of one model's run and of a whole build."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal
from uuid import UUID

CheckSeverity = Literal["error", "warning", "info"]
TenantDate = tuple[UUID, date]

UNDATED = date(1970, 1, 1)
"""The date under which a model without dates (a dimension, a mart) keeps its state and its dirty mark."""


@dataclass(frozen=True)
class CheckResult:
    """One expectation over the rows of one run: how many rows break it, in which tenants and dates, and a sample."""

    model: str
    check: str
    severity: CheckSeverity
    passed: bool
    failed_rows: int
    total_rows: int
    broken: tuple[TenantDate, ...] = ()
    sample: tuple[dict[str, Any], ...] = ()
    failed_by_date: Mapping[TenantDate, int] = field(default_factory=dict[TenantDate, int])
    """Broken rows of each (tenant, date) in `broken`."""
    sample_by_date: Mapping[TenantDate, tuple[dict[str, Any], ...]] = field(
        default_factory=dict[TenantDate, tuple[dict[str, Any], ...]]
    )
    """Some of the broken rows of each (tenant, date) in `broken`."""


@dataclass(frozen=True)
class ModelRun:
    """One model materialized once: rows published by tenant and date, and what was held back with the reason."""

    model: str
    run_id: str
    rows: int
    published: Mapping[TenantDate, int]
    failed: Mapping[TenantDate, str]
    checks: tuple[CheckResult, ...]
    seconds: float
    sealed: tuple[date, ...] = ()
    """Dates that were asked for and left alone, as their raw rows lie in an archive."""


@dataclass(frozen=True)
class BuildReport:
    """The runs of one build, in the order in which they ran."""

    runs: tuple[ModelRun, ...]

    @property
    def failed(self) -> Mapping[str, Mapping[TenantDate, str]]:
        """Per model, the tenants and dates that kept their last good version, and why."""
        return {run.model: run.failed for run in self.runs if run.failed}
