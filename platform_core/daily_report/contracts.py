"""What the daily report says."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True)
class LineReport:
    """One line on one production date. Ratios are 0..1, null where unknown; minutes are plant minutes."""

    line_code: str
    line_name: str | None
    oee: Decimal | None
    availability: Decimal | None
    performance: Decimal | None
    quality: Decimal | None
    main_loss: str | None
    loss_minutes: Decimal | None
    cause: str | None
    """What stands behind the main loss, in words: a stop and its minutes, or the most frequent defect."""
    worst_shift: str | None
    """The shift with the lowest OEE."""


@dataclass(frozen=True)
class RejectReport:
    """Rows refused for one reason, with the newest as an example."""

    reason_code: str
    rows: int
    example_message: str
    example_source: str
    example_row: int


@dataclass(frozen=True)
class DailyReport:
    """One tenant's production date."""

    date: date
    lines: tuple[LineReport, ...]
    rejects: tuple[RejectReport, ...]
