"""The production date is the plant-local date on which the shift begins, whatever midnight and the clocks do."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_core.ingest.production_date import Calendar, Line, Placed, Shift

SEOUL, BERLIN = ZoneInfo("Asia/Seoul"), ZoneInfo("Europe/Berlin")
THREE = (
    Shift("day", time(8), time(16)),
    Shift("evening", time(16), time(0)),
    Shift("night", time(0), time(8)),
)
LATE = Shift("late", time(22), time(6))


def local(text: str, zone: ZoneInfo = SEOUL) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("start", "shift", "day"),
    [
        ("2026-03-09T08:00", "day", 9),
        ("2026-03-09T07:50", "day", 9),  # booked ten minutes early
        ("2026-03-09T16:00", "day", 9),  # booked on the stroke of the end
        ("2026-03-09T15:55", "evening", 9),
        ("2026-03-10T00:05", "evening", 9),  # booked five minutes late
        ("2026-03-09T00:00", "night", 9),
        ("2026-03-08T23:50", "night", 9),  # ten minutes before a shift that begins at midnight
        ("2026-03-09T22:00", "late", 9),
        ("2026-03-09T21:50", "late", 9),
        ("2026-03-10T03:00", "late", 9),  # after midnight, still the shift of the day before
        ("2026-03-10T06:05", "late", 9),
        ("2026-03-10T15:00", "late", 10),  # nearer to the one that is to come
    ],
)
def test_a_start_belongs_to_the_shift_that_holds_it_or_is_nearest(start: str, shift: str, day: int) -> None:
    placed = Calendar(SEOUL, shifts=(*THREE, LATE)).place(local(start), shift=shift)
    assert placed == Placed(date(2026, 3, day), shift)


@pytest.mark.parametrize(
    ("start", "shift", "day"),
    [("2026-03-09T08:00", "day", 9), ("2026-03-09T00:00", "night", 9), ("2026-03-09T23:59", "evening", 9)],
)
def test_a_missing_shift_is_found_from_the_time(start: str, shift: str, day: int) -> None:
    assert Calendar(SEOUL, shifts=THREE).place(local(start)) == Placed(date(2026, 3, day), shift)


def test_outside_all_shifts_the_calendar_day_counts_with_a_doubt() -> None:
    calendar = Calendar(SEOUL, shifts=THREE[:1])
    assert calendar.place(local("2026-03-09T07:10")) == Placed(date(2026, 3, 9), "day")
    assert calendar.place(local("2026-03-09T20:00")) == Placed(date(2026, 3, 9), None, "outside_shifts")


def test_an_unknown_shift_counts_by_the_calendar_day_with_a_doubt() -> None:
    calendar = Calendar(SEOUL, shifts=THREE)
    assert calendar.place(local("2026-03-10T03:00"), shift="X") == Placed(date(2026, 3, 10), "X", "unknown_shift")
    assert Calendar(SEOUL).place(local("2026-03-10T03:00")) == Placed(date(2026, 3, 10), None)


def test_the_line_says_the_zone_and_the_plant_its_own_shifts() -> None:
    calendar = Calendar(
        SEOUL,
        lines={"B1": Line("BER", BERLIN), "S1": Line("SEL"), "S2": Line()},
        shifts=(*THREE, Shift("late", time(20), time(4), plant_code="BER")),
    )
    moment = datetime(2026, 3, 9, 1, 0, tzinfo=UTC)  # 02:00 in Berlin, 10:00 in Seoul
    assert calendar.place(moment, line_code="B1") == Placed(date(2026, 3, 8), "late")
    assert calendar.place(moment, line_code="S1") == Placed(date(2026, 3, 9), "day")
    assert calendar.place(moment, line_code="B1", shift="day").doubt == "unknown_shift"


def test_a_shift_changes_on_the_day_from_which_it_is_valid() -> None:
    calendar = Calendar(
        SEOUL, shifts=[Shift("late", time(22), time(6)), Shift("late", time(18), time(2), valid_from=date(2026, 3, 9))]
    )
    assert calendar.place(local("2026-03-09T05:00"), shift="late").date == date(2026, 3, 8)
    assert calendar.place(local("2026-03-09T18:30"), shift="late").date == date(2026, 3, 9)
    assert calendar.place(local("2026-03-10T01:00"), shift="late").date == date(2026, 3, 9)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 28), 7), (date(2026, 10, 24), 9)])
def test_the_shift_over_a_clock_change_is_shorter_or_longer(day: date, hours: int) -> None:
    calendar = Calendar(BERLIN, shifts=[LATE])
    begin = datetime.combine(day, time(22), tzinfo=BERLIN).astimezone(UTC)
    for minutes in range(0, hours * 60, 10):
        assert calendar.place(begin + timedelta(minutes=minutes)) == Placed(day, "late")
    assert calendar.place(begin + timedelta(hours=hours, minutes=61)).doubt == "outside_shifts"


MOMENTS = st.integers(0, 3 * 365 * 86_400).map(lambda second: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(0, second))
ZONES = st.sampled_from(
    ["Asia/Seoul", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Kiritimati"]
)


@given(MOMENTS, ZONES, st.sampled_from(["day", "evening", "night"]))
def test_a_shifts_date_is_never_over_a_day_from_the_plants_calendar_day(
    moment: datetime, zone: str, shift: str
) -> None:
    placed = Calendar(ZoneInfo(zone), shifts=THREE).place(moment, shift=shift)
    assert abs((placed.date - moment.astimezone(ZoneInfo(zone)).date()).days) <= 1


@given(MOMENTS, ZONES, st.integers(0, 23), st.integers(1, 24))
def test_a_moment_inside_a_shift_belongs_to_the_day_that_it_begins_on(
    moment: datetime, zone: str, first: int, hours: int
) -> None:
    """Whoever tells the shift and whoever does not get the same date, and the interval of that date holds it."""
    shift = Shift("only", time(first), time((first + hours) % 24))
    calendar = Calendar(ZoneInfo(zone), shifts=[shift])
    told, found = calendar.place(moment, shift="only"), calendar.place(moment)
    if found.shift is not None:
        assert told.date == found.date
    begin = datetime.combine(found.date, shift.start, tzinfo=ZoneInfo(zone))
    end = datetime.combine(
        found.date + timedelta(days=0 if shift.end > shift.start else 1), shift.end, tzinfo=ZoneInfo(zone)
    )
    if found.shift is not None and found.doubt is None:
        assert begin - timedelta(hours=1) <= moment <= end + timedelta(hours=1)


@given(MOMENTS, ZONES)
def test_three_shifts_that_fill_the_day_leave_no_moment_out(moment: datetime, zone: str) -> None:
    placed = Calendar(ZoneInfo(zone), shifts=THREE).place(moment)
    assert placed.doubt is None
    assert placed.date == moment.astimezone(ZoneInfo(zone)).date()


@given(
    st.sampled_from(["Asia/Seoul", "America/Chicago", "America/Havana", "Africa/Cairo"]),
    st.lists(
        st.tuples(
            # Weeks in which clocks change, in Chicago at 2:00, in Havana and Cairo at midnight.
            st.one_of(
                [
                    st.datetimes(datetime.fromisoformat(first), datetime.fromisoformat(last))
                    for first, last in (
                        ("2025-10-30", "2025-11-04"),
                        ("2025-03-08", "2025-03-11"),
                        ("2025-04-24", "2025-04-26"),
                    )
                ]
            ),
            st.sampled_from([UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=9)), None]),
            st.sampled_from(["day", "evening", "night", "x"]),
        ),
        min_size=2,
        max_size=12,
    ),
)
def test_the_moments_before_do_not_change_where_a_moment_belongs(
    zone_name: str, moments: list[tuple[datetime, timezone | None, str]]
) -> None:
    zone = ZoneInfo(zone_name)
    shifts = [
        Shift("day", time(8), time(16)),
        Shift("evening", time(16), time(0)),
        Shift("night", time(22), time(6)),
    ]
    kept = Calendar(zone, shifts=shifts)
    for naive, offset, shift in moments:
        moment = naive.replace(tzinfo=offset or zone)
        assert kept.place(moment, shift=shift) == Calendar(zone, shifts=shifts).place(moment, shift=shift)
