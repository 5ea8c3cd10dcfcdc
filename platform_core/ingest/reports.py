"""What bringing in several sources at once reports: each load, each source that failed or was left alone, the total."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from dbt_like_sql.errors import TaktError
from platform_core.ingest.contracts import LoadResult, Outcomes
from platform_core.ingest.errors import NothingUsableError


@dataclass(frozen=True)
class LoadedSource:
    """A file, sheet or pull that was loaded; `left_out` rows were no records by the mapping's own word.

    `notes` say what choosing its mapping left out: columns, sheets.
    """

    name: str
    mapping: str
    result: LoadResult
    left_out: int = 0
    notes: tuple[str, ...] = ()

    @property
    def is_useless(self) -> bool:
        """Whether it had rows, and none of them could be used."""
        outcomes = self.result.outcomes
        return 0 < outcomes.rejected == outcomes.rows_read


@dataclass(frozen=True)
class FailedSource:
    """A source that could not be loaded, and why."""

    name: str
    code: str
    message: str
    hint: str | None

    @staticmethod
    def of(name: str, error: TaktError) -> "FailedSource":
        """The failure that an error tells."""
        return FailedSource(name, error.code, error.message, error.hint)


@dataclass(frozen=True)
class SkippedSource:
    """A source of a folder that was left alone, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class IngestReport:
    """All sources of one call, in the order in which they were loaded."""

    loads: tuple[LoadedSource, ...] = ()
    failed: tuple[FailedSource, ...] = ()
    skipped: tuple[SkippedSource, ...] = ()

    @property
    def outcomes(self) -> Outcomes:
        """The sum over all loads."""
        return add_outcomes(load.result.outcomes for load in self.loads)

    @property
    def dates(self) -> tuple[date, ...]:
        """Production dates that any load made dirty."""
        return tuple(sorted({day for load in self.loads for day in load.result.dates}))


def report_of(ended: Iterable[LoadedSource | FailedSource | SkippedSource]) -> IngestReport:
    """The report of sources in the order in which they ended."""
    all_ = list(ended)
    return IngestReport(
        tuple(one for one in all_ if isinstance(one, LoadedSource)),
        tuple(one for one in all_ if isinstance(one, FailedSource)),
        tuple(one for one in all_ if isinstance(one, SkippedSource)),
    )


def useless(load: LoadedSource) -> FailedSource:
    """The failure of a source of which no row could be used: most often it was read by the wrong mapping."""
    reasons = ", ".join(f"{code} {count:,}" for code, count in load.result.rejected_by_code.items())
    error = NothingUsableError(
        f"Not one of its {load.result.outcomes.rows_read:,} rows could be used ({reasons}). "
        f"Is `{load.mapping}` the right mapping for it?",
        hint=f"`takt rejects list --load {load.result.load_id}` shows why; mend the mapping or choose another, then "
        f"`takt rejects retry --load {load.result.load_id}` (with --mapping NAME for another).",
    )
    return FailedSource.of(load.name, error)


def add_outcomes(many: Iterable[Outcomes]) -> Outcomes:
    """The sum of several loads' outcomes."""
    total = Outcomes()
    for one in many:
        for name, count in asdict(one).items():
            setattr(total, name, getattr(total, name) + count)
    return total


def as_json(report: IngestReport) -> dict[str, Any]:
    """The report for JSON: counts of each load and in total, dates as ISO texts."""
    return {
        "loads": [
            {
                "load_id": str(load.result.load_id),
                "source": load.name,
                "mapping": load.mapping,
                "record_type": load.result.request.record_type,
                "rows_read": load.result.outcomes.rows_read,
                **asdict(load.result.outcomes),
                "left_out": load.left_out,
                "notes": list(load.notes),
                "read_before": None if (first := load.result.request.first_arrived_at) is None else first.isoformat(),
                "rejected_by_code": dict(load.result.rejected_by_code),
                "dates": [day.isoformat() for day in load.result.dates],
                "warnings": list(load.result.warnings),
            }
            for load in report.loads
        ],
        "failed": [asdict(one) for one in report.failed],
        "skipped": [asdict(one) for one in report.skipped],
        "total": {"rows_read": report.outcomes.rows_read, **asdict(report.outcomes)},
        "dates": [day.isoformat() for day in report.dates],
    }
