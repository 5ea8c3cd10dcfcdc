"""Ranges, steps and buckets at the places where calendars are awkward."""

from datetime import date

import pytest

from platform_core.bi.contracts import DateRange, Step, TimeRange
from platform_core.bi.errors import RequestInvalidError
from platform_core.bi.periods import bucket_end, bucket_name, bucket_start, earlier, resolve, step_to

NEWEST, TODAY = date(2026, 5, 20), date(2026, 6, 2)


def relative(name: str, **more: str) -> tuple[date, date]:
    found = resolve(TimeRange.model_validate({"relative": name, **more}), newest=NEWEST, today=TODAY)
    return found.first, found.last


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("last_7_days", "2026-05-14", "2026-05-20"),
        ("last_1_day", "2026-05-20", "2026-05-20"),
        ("last_2_weeks", "2026-05-07", "2026-05-20"),
        ("last_3_months", "2026-03-01", "2026-05-20"),
        ("today", "2026-06-02", "2026-06-02"),
        ("yesterday", "2026-06-01", "2026-06-01"),
        ("this_week", "2026-05-18", "2026-05-24"),
        ("last_week", "2026-05-11", "2026-05-17"),
        ("this_month", "2026-05-01", "2026-05-31"),
        ("last_month", "2026-04-01", "2026-04-30"),
        ("last_quarter", "2026-01-01", "2026-03-31"),
        ("last_year", "2025-01-01", "2025-12-31"),
        ("mtd", "2026-05-01", "2026-05-20"),
        ("qtd", "2026-04-01", "2026-05-20"),
        ("ytd", "2026-01-01", "2026-05-20"),
        ("wtd", "2026-05-18", "2026-05-20"),
    ],
)
def test_a_relative_range_ends_at_the_newest_published_date(name: str, first: str, last: str) -> None:
    assert relative(name) == (date.fromisoformat(first), date.fromisoformat(last))


def test_a_relative_range_may_be_anchored_at_today() -> None:
    assert relative("mtd", anchor="today") == (date(2026, 6, 1), TODAY)


@pytest.mark.parametrize("name", ["last_0_days", "last_9999_days", "last_500_months", "next_week", "last_x_days", ""])
def test_a_range_that_there_is_not_is_refused(name: str) -> None:
    with pytest.raises(RequestInvalidError):
        relative(name)


def compared(first: str, last: str, against: str, grain: str | None = None) -> tuple[str, str]:
    time = TimeRange(first=date.fromisoformat(first), last=date.fromisoformat(last))
    dates = resolve(time, newest=None, today=TODAY)
    found = earlier(dates, step_to(against, dates, grain))  # type: ignore[arg-type]
    return found.first.isoformat(), found.last.isoformat()


@pytest.mark.parametrize(
    ("dates", "against", "grain", "expected"),
    [
        (("2026-03-01", "2026-03-31"), "previous_period", None, ("2026-02-01", "2026-02-28")),
        (("2026-02-01", "2026-02-28"), "previous_period", None, ("2026-01-01", "2026-01-31")),
        (("2024-03-01", "2024-03-31"), "previous_period", None, ("2024-02-01", "2024-02-29")),
        (("2026-01-01", "2026-03-31"), "previous_period", None, ("2025-10-01", "2025-12-31")),
        (("2026-03-02", "2026-03-31"), "previous_period", None, ("2026-01-31", "2026-03-01")),
        (("2025-02-01", "2025-02-28"), "previous_year", None, ("2024-02-01", "2024-02-29")),
        (("2024-02-29", "2024-02-29"), "previous_year", None, ("2023-02-28", "2023-02-28")),
        (("2026-05-18", "2026-05-24"), "previous_year", "week", ("2025-05-19", "2025-05-25")),
        (("2026-05-01", "2026-05-31"), "previous_period", "week", ("2026-03-27", "2026-04-26")),
        (("2026-05-18", "2026-05-20"), "week_before", "day", ("2026-05-11", "2026-05-13")),
    ],
)
def test_the_earlier_range_ends_where_it_should(
    dates: tuple[str, str], against: str, grain: str | None, expected: tuple[str, str]
) -> None:
    assert compared(*dates, against, grain) == expected


def test_month_to_date_is_compared_with_the_same_days_of_the_month_before() -> None:
    dates = resolve(TimeRange(relative="mtd"), newest=date(2026, 3, 30), today=TODAY)
    assert earlier(dates, step_to("previous_period", dates, None)) == DateRange(date(2026, 2, 1), date(2026, 2, 28), 1)


def test_the_week_before_has_no_months() -> None:
    with pytest.raises(RequestInvalidError, match="no buckets of a month"):
        step_to("week_before", DateRange(TODAY, TODAY), "month")


def test_no_step_leads_nowhere() -> None:
    assert earlier(DateRange(NEWEST, TODAY), Step()) == DateRange(NEWEST, TODAY)


@pytest.mark.parametrize(
    ("day", "grain", "name", "last"),
    [
        ("2025-12-29", "week", "2026-W01", "2026-01-04"),
        ("2027-01-03", "week", "2026-W53", "2027-01-03"),
        ("2024-02-29", "month", "2024-02", "2024-02-29"),
        ("2026-11-30", "quarter", "2026-Q4", "2026-12-31"),
        ("2026-11-30", "year", "2026", "2026-12-31"),
        ("2026-11-30", "day", "2026-11-30", "2026-11-30"),
    ],
)
def test_buckets_are_named_and_bounded(day: str, grain: str, name: str, last: str) -> None:
    at = date.fromisoformat(day)
    assert bucket_name(bucket_start(at, grain), grain) == name  # type: ignore[arg-type]
    assert bucket_end(at, grain) == date.fromisoformat(last)
