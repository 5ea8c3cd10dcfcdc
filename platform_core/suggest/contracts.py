"""What a proposal says, and on what evidence."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

Reason = Literal["missing", "too_slow"]
"""No ideal cycle time is known, or the one that is known is over 1.2 times the best sustained one."""


@dataclass(frozen=True)
class MeasuredCycle:
    """How long one piece took on a line, over the work orders of the window that ran long enough; times in seconds."""

    line_code: str
    product_code: str
    work_orders: int
    pieces: Decimal
    first_date: date
    last_date: date
    best_cycle_sec: Decimal
    """The best sustained cycle: one work order in ten was faster."""
    median_cycle_sec: Decimal
    current_cycle_sec: Decimal | None
    """The ideal cycle time that facts use on `last_date`; None where there is none."""
    valid_from: date | None
    """Since when dim_cycle_time has it; None where it is the product's or there is none."""


@dataclass(frozen=True)
class CycleTimeProposal:
    """An ideal cycle time in seconds for a line and product, to hold from `valid_from` on (None: always)."""

    line_code: str
    product_code: str
    valid_from: date | None
    ideal_cycle_sec: Decimal
    reason: Reason
    evidence: MeasuredCycle


@dataclass(frozen=True)
class CycleTimeSuggestion:
    """All proposals, and the lines and products that need a value but have too few work orders to propose one."""

    proposals: tuple[CycleTimeProposal, ...]
    undecided: tuple[MeasuredCycle, ...]
    min_orders: int
