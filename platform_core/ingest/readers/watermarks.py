"""Where an incremental pull goes on: the greatest value of a field that was seen, as text that orders."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any


def as_mark(value: Any) -> str | None:
    """A value as it is kept in core.source_watermark; None for no value."""
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def order_of(mark: str) -> tuple[int, Any]:
    """What orders marks: numbers as numbers, times as times, everything else as text."""
    try:
        return (0, Decimal(mark))
    except ArithmeticError:
        pass
    moment = as_moment(mark)
    if moment is not None:
        return (1, moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return (2, mark)


def later(first: str | None, second: str | None) -> str | None:
    """The greater of two marks."""
    if first is None or second is None:
        return first if second is None else second
    return first if order_of(first) >= order_of(second) else second


def as_moment(mark: str) -> datetime | None:
    """A mark as a time, or None when it is none."""
    try:
        return datetime.fromisoformat(mark)
    except ValueError:
        return None


def gone_back(mark: str, minutes: float) -> str:
    """A mark some minutes earlier, in the same form; one that is no time stays."""
    moment = as_moment(mark) if minutes else None
    if moment is None:
        return mark
    earlier = moment - timedelta(minutes=minutes)
    return earlier.isoformat(sep="T" if "T" in mark else " ")
