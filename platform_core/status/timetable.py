"""When the schedules run, and when the next of them comes. Pure; the orchestrator's schedules are made from it."""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAILY_REFRESH = time(2, 0)
"""Raw records to marts of yesterday and today, by each plant's clock."""

MASTER_DATA = time(1, 30)
"""Dimensions, by the clock of the plant whose date is latest."""

HOURLY_MINUTE = 5
"""Raw records to marts of today, at this minute of every hour."""


def next_runs(zones: Iterable[str], now: datetime) -> tuple[tuple[str, datetime], ...]:
    """By zone, the next 02:00 of its clock after `now` in UTC, soonest first; a zone that does not exist has none.

    On the day on which the clocks jump over 02:00 it is the moment to which they jump.
    """
    found = [(zone.key, _next(DAILY_REFRESH, zone, now)) for zone in _known(zones)]
    return tuple(sorted(found, key=lambda item: (item[1], item[0])))


def next_refresh(zones: Iterable[str], now: datetime) -> datetime:
    """When tables with dates, and the marts over them, are made anew next: by the hourly or by a daily schedule."""
    hour = now.astimezone(UTC).replace(minute=HOURLY_MINUTE, second=0, microsecond=0)
    hourly = hour if hour > now else hour + timedelta(hours=1)
    return min([hourly, *(moment for _, moment in next_runs(zones, now))])


def next_master_data(zones: Iterable[str], now: datetime) -> datetime | None:
    """When the dimensions are made anew next; None without a plant."""
    known = sorted(_known(zones), key=lambda zone: zone.key)
    newest = max(known, key=lambda zone: now.astimezone(zone).replace(tzinfo=UTC), default=None)
    return _next(MASTER_DATA, newest, now) if newest else None


def _known(zones: Iterable[str]) -> list[ZoneInfo]:
    found: list[ZoneInfo] = []
    for name in zones:
        try:
            found.append(ZoneInfo(name))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return found


def _next(at: time, zone: ZoneInfo, now: datetime) -> datetime:
    day = now.astimezone(zone).date()
    moments = (datetime.combine(day + timedelta(days=ahead), at, zone) for ahead in range(3))
    return next(moment.astimezone(UTC) for moment in moments if moment > now)
