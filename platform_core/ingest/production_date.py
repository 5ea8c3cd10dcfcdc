"""The production date of a moment: the plant-local date on which the shift that it belongs to begins. Pure.

Night shifts cross midnight, clocks change, a plant may lie in another zone, and machines book a shift's first order ten
minutes early, so the date is found by laying the shift's intervals of the day before, the day and the day after
beside the moment, in UTC, and taking the one that contains it, else the nearest.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_NEAR = timedelta(hours=1)
"""How far outside every shift a moment without a shift code may lie to be counted to the nearest one."""
_CACHE_SIZE = 100_000

Doubt = Literal["unknown_shift", "outside_shifts"]


@dataclass(frozen=True, slots=True)
class Shift:
    """One definition of a shift. `plant_code` None: for plants without shifts of their own; ends next day if needed."""

    code: str
    start: time
    end: time
    plant_code: str | None = None
    valid_from: date = date.min


@dataclass(frozen=True, slots=True)
class Line:
    """What a line says about time: its plant and its zone (None: the tenant's)."""

    plant_code: str | None = None
    zone: ZoneInfo | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a moment belongs: the production date, the shift, and what was doubtful about it."""

    date: date
    shift: str | None
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True)
class _Interval:
    day: date
    code: str
    start: datetime
    end: datetime

    def distance(self, moment: datetime) -> timedelta:
        if moment < self.start:
            return self.start - moment
        return moment - self.end if moment >= self.end else timedelta(0)


class _Span(NamedTuple):
    """A stretch of time whose moments all belong to the same date."""

    start: datetime
    end: datetime
    placed: Placed


class Calendar:
    """The zones, plants and shifts of one tenant, and the production date of any moment on any line.

    `equipment_lines` gives the line of a machine whose events name none.
    """

    def __init__(
        self,
        zone: ZoneInfo,
        *,
        lines: Mapping[str, Line] | None = None,
        shifts: Iterable[Shift] = (),
        equipment_lines: Mapping[str, str] | None = None,
    ) -> None:
        self.zone = zone
        self.lines = dict(lines or {})
        self.equipment_lines = dict(equipment_lines or {})
        self._shifts: dict[str | None, dict[str, list[Shift]]] = {}
        for shift in sorted(shifts, key=lambda one: one.valid_from, reverse=True):
            self._shifts.setdefault(shift.plant_code, {}).setdefault(shift.code, []).append(shift)
        self._intervals: dict[tuple[str | None, ZoneInfo, str, date], _Interval | None] = {}
        self._placed: dict[tuple[str | None, str | None, datetime], Placed] = {}
        self._spans: dict[tuple[str | None, str], _Span] = {}

    def zone_of(self, line_code: str | None) -> ZoneInfo:
        """The line's zone, else the tenant's."""
        line = self.lines.get(line_code) if line_code is not None else None
        return line.zone if line is not None and line.zone is not None else self.zone

    def place(self, moment: datetime, *, line_code: str | None = None, shift: str | None = None) -> Placed:
        """The production date of an aware moment; without `shift` the shift is found from the time."""
        if shift is not None:
            span = self._spans.get((line_code, shift))
            if span is not None and span.start <= moment < span.end:
                return span.placed
        key = (line_code, shift, moment)
        placed = self._placed.get(key)
        if placed is None:
            if len(self._placed) >= _CACHE_SIZE:
                self._placed.clear()
            placed = self._placed[key] = self._place(moment, line_code, shift)
        return placed

    def _place(self, moment: datetime, line_code: str | None, shift: str | None) -> Placed:
        line = self.lines.get(line_code) if line_code is not None else None
        plant = line.plant_code if line is not None else None
        plant = plant if plant in self._shifts else None
        zone = self.zone_of(line_code)
        local = moment.astimezone(zone).date()
        known = self._shifts.get(plant, {})
        if shift is not None and shift not in known:
            return Placed(local, shift, "unknown_shift")
        offset, moment = moment.tzinfo, moment.astimezone(UTC)
        if shift is not None:
            same_day = self._interval((plant, zone), shift, local)
            if same_day is not None and same_day.start <= moment < same_day.end:
                # Nearly every record: no neighbouring day can be nearer.
                placed = Placed(local, shift)
                self._remember((line_code, shift), same_day, zone, offset, placed)
                return placed
        codes = known if shift is None else (shift,)
        nearest = self._nearest(moment, local, (plant, zone), codes)
        if shift is not None:
            # A definition that only begins to be valid later says nothing about this moment.
            return Placed(local, shift, "unknown_shift") if nearest is None else Placed(nearest.day, shift)
        if nearest is None:
            return Placed(local, None)
        if nearest.distance(moment) > _NEAR:
            return Placed(local, None, "outside_shifts")
        return Placed(nearest.day, nearest.code)

    def _remember(
        self, key: tuple[str | None, str], interval: _Interval, zone: ZoneInfo, offset: tzinfo | None, placed: Placed
    ) -> None:
        """Keep the part of a shift that lies on its own date: the line's next records are nearly always in it."""
        # A midnight that the clocks skip or repeat is two moments: stay inside of both.
        first, last = (
            [datetime.combine(day, time(0), zone).replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
            for day in (interval.day, interval.day + _DAY)
        )
        # Moments of the same offset compare fast; those of a zone would compare by the clock on the wall.
        common = offset if isinstance(offset, timezone) else UTC
        if len(self._spans) >= _CACHE_SIZE:
            self._spans.clear()
        start, end = max(interval.start, *first), min(interval.end, *last)
        self._spans[key] = _Span(start.astimezone(common), end.astimezone(common), placed)

    def _nearest(
        self, moment: datetime, local: date, place: tuple[str | None, ZoneInfo], codes: Iterable[str]
    ) -> _Interval | None:
        """The interval that contains the moment, the latest to begin where several do, else the nearest."""
        found: _Interval | None = None
        least: tuple[timedelta, timedelta] | None = None
        for code in codes:
            for day in (local - _DAY, local, local + _DAY):
                interval = self._interval(place, code, day)
                if interval is not None:
                    rank = (interval.distance(moment), abs(moment - interval.start))
                    if least is None or rank < least:
                        found, least = interval, rank
        return found

    def _interval(self, place: tuple[str | None, ZoneInfo], code: str, day: date) -> _Interval | None:
        key = (*place, code, day)
        if key not in self._intervals:
            if len(self._intervals) >= _CACHE_SIZE:
                self._intervals.clear()
            self._intervals[key] = self._lay(place, code, day)
        return self._intervals[key]

    def _lay(self, place: tuple[str | None, ZoneInfo], code: str, day: date) -> _Interval | None:
        plant, zone = place
        for shift in self._shifts[plant][code]:  # newest definition first
            if shift.valid_from <= day:
                last = day if shift.end > shift.start else day + _DAY
                return _Interval(
                    day,
                    code,
                    datetime.combine(day, shift.start, tzinfo=zone).astimezone(UTC),
                    datetime.combine(last, shift.end, tzinfo=zone).astimezone(UTC),
                )
        return None
