"""Ranges of dates: relative ones made absolute, the earlier one that a comparison reads, and names of buckets."""

import re
from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from difflib import get_close_matches

from dbt_like_sql.semantics.contracts import Against
from platform_core.bi.contracts import DateRange, Grain, Step, TimeRange
from platform_core.bi.errors import RequestInvalidError

_LAST_N = re.compile(r"last_(\d{1,4})_(day|week|month)s?")
_MAX_DAYS = 3660
_FIRST, _FINAL = date(1990, 1, 1), date(2100, 12, 31)


def month_start(day: date, months: int = 0) -> date:
    """The first of the month so many months later."""
    number = day.year * 12 + day.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)


def month_end(day: date) -> date:
    """The last day of the month."""
    return day.replace(day=monthrange(day.year, day.month)[1])


def add_months(day: date, months: int) -> date:
    """The same day so many months later, or the last of that month, as PostgreSQL adds months."""
    start = month_start(day, months)
    return start.replace(day=min(day.day, monthrange(start.year, start.month)[1]))


def bucket_start(day: date, grain: str) -> date:
    """First date of the bucket that a date lies in; weeks begin on Monday, as ISO weeks do."""
    match grain:
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case "year":
            return day.replace(month=1, day=1)
        case _:
            return day


def bucket_end(day: date, grain: str) -> date:
    """Last date of the bucket that a date lies in."""
    start = bucket_start(day, grain)
    months = {"month": 1, "quarter": 3, "year": 12}.get(grain)
    if months is not None:
        return month_start(start, months) - timedelta(days=1)
    return start + timedelta(days=6 if grain == "week" else 0)


def bucket_name(start: date, grain: Grain | None) -> str:
    """How a bucket is called: 2026-W21, 2026-05, 2026-Q2, 2026, or its date."""
    match grain:
        case "week":
            year, week, _ = start.isocalendar()
            return f"{year}-W{week:02}"
        case "month":
            return f"{start:%Y-%m}"
        case "quarter":
            return f"{start.year}-Q{(start.month + 2) // 3}"
        case "year":
            return str(start.year)
        case _:
            return start.isoformat()


def _whole(first: date, months: int, last: date | None = None) -> DateRange:
    return DateRange(first, last or month_end(month_start(first, months - 1)), months)


_RELATIVE: Mapping[str, Callable[[date], DateRange]] = {
    "today": lambda day: DateRange(day, day),
    "yesterday": lambda day: DateRange(day - timedelta(days=1), day - timedelta(days=1)),
    "this_week": lambda day: DateRange(bucket_start(day, "week"), bucket_start(day, "week") + timedelta(days=6)),
    "last_week": lambda day: DateRange(
        bucket_start(day, "week") - timedelta(days=7), bucket_start(day, "week") - timedelta(days=1)
    ),
    "this_month": lambda day: _whole(month_start(day), 1),
    "last_month": lambda day: _whole(month_start(day, -1), 1),
    "this_quarter": lambda day: _whole(bucket_start(day, "quarter"), 3),
    "last_quarter": lambda day: _whole(month_start(bucket_start(day, "quarter"), -3), 3),
    "this_year": lambda day: _whole(bucket_start(day, "year"), 12),
    "last_year": lambda day: _whole(month_start(bucket_start(day, "year"), -12), 12),
    "wtd": lambda day: DateRange(bucket_start(day, "week"), day),
    "mtd": lambda day: _whole(month_start(day), 1, day),
    "qtd": lambda day: _whole(bucket_start(day, "quarter"), 3, day),
    "ytd": lambda day: _whole(bucket_start(day, "year"), 12, day),
}


def resolve(time: TimeRange, *, newest: date | None, today: date) -> DateRange:
    """The dates that a range means. Raises RequestInvalidError for a name that there is not, with the nearest."""
    if time.first is not None and time.last is not None:
        return _checked(_with_months(time.first, time.last))
    name = (time.relative or "").lower()
    anchor = time.anchor or ("today" if name in ("today", "yesterday") else "newest")
    at = today if anchor == "today" or newest is None else newest
    if found := _LAST_N.fullmatch(name):
        return _last(int(found[1]), found[2], at)
    if name not in _RELATIVE:
        close = get_close_matches(name, [*_RELATIVE, "last_7_days", "last_30_days"], n=1)
        nearest = f"Did you mean {close[0]}? " if close else ""
        raise RequestInvalidError(
            f"There is no time range {name!r}.", hint=f"{nearest}There are last_N_days, {', '.join(_RELATIVE)}."
        )
    return _RELATIVE[name](at)


def _last(count: int, unit: str, at: date) -> DateRange:
    """So many days, weeks of seven days or calendar months up to and with `at`."""
    if count < 1:
        raise RequestInvalidError("A range holds at least one day.")
    if unit == "month":
        if count > _MAX_DAYS // 31:
            raise RequestInvalidError(f"A range holds at most {_MAX_DAYS} days.")
        return _whole(month_start(at, 1 - count), count, at)
    days = count * (7 if unit == "week" else 1)
    if days > _MAX_DAYS:
        raise RequestInvalidError(f"A range holds at most {_MAX_DAYS} days.")
    return DateRange(at - timedelta(days=days - 1), at)


def _with_months(first: date, last: date) -> DateRange:
    """Whole months are told, as the month before is another than the 30 days before."""
    if first.day == 1 and last == month_end(last):
        return DateRange(first, last, (last.year - first.year) * 12 + last.month - first.month + 1)
    return DateRange(first, last)


def _checked(dates: DateRange) -> DateRange:
    if dates.first < _FIRST or dates.last > _FINAL:
        raise RequestInvalidError(f"A range lies within {_FIRST} to {_FINAL}.")
    if dates.days > _MAX_DAYS:
        raise RequestInvalidError(f"A range holds at most {_MAX_DAYS} days, not {dates.days}.")
    return dates


def step_to(against: Against, dates: DateRange, grain: Grain | None) -> Step:
    """How far the earlier range lies before this one. By week only whole weeks keep the buckets together."""
    if against == "week_before":
        if grain in ("month", "quarter", "year"):
            raise RequestInvalidError(
                f"A comparison with the week before has no buckets of a {grain}.", hint="Use day or week as grain."
            )
        return Step(days=7)
    if against == "previous_year":
        return Step(days=364) if grain == "week" else Step(months=12)
    if grain == "week":
        return Step(days=-(-dates.days // 7) * 7)
    return Step(months=dates.months) if dates.months else Step(days=dates.days)


def earlier(dates: DateRange, step: Step) -> DateRange:
    """The range that `step` leads back to; one that ends with its month ends with the earlier month too."""
    if step.days:
        return DateRange(dates.first - timedelta(days=step.days), dates.last - timedelta(days=step.days))
    if not step.months:
        return dates
    last = add_months(dates.last, -step.months)
    if dates.last == month_end(dates.last):
        last = month_end(last)
    return DateRange(add_months(dates.first, -step.months), last, dates.months)
