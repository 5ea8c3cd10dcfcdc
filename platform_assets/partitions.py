"""The one daily partitioning: production dates, from the first that the warehouse holds to today, today included."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple

import dagster as dg

RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"


class DateRange(NamedTuple):
    """Contiguous production dates, both ends included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many dates."""
        return (self.last - self.first).days + 1

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first}..{self.last}"


def daily_partitions(first_date: date, zone: str) -> dg.DailyPartitionsDefinition:
    """Production dates since `first_date`; the newest is today in `zone` (that of the plant whose date is latest)."""
    return dg.DailyPartitionsDefinition(start_date=first_date.isoformat(), timezone=zone, end_offset=1)


def range_tags(dates: DateRange) -> dict[str, str]:
    """Tags that make a run one run over those partitions."""
    return {RANGE_START_TAG: dates.first.isoformat(), RANGE_END_TAG: dates.last.isoformat()}


def dates_of(context: dg.AssetExecutionContext) -> tuple[date, ...]:
    """The production dates of a run of a partitioned asset, oldest first."""
    return tuple(sorted(date.fromisoformat(key) for key in context.partition_keys))


def contiguous(dates: Iterable[date]) -> tuple[DateRange, ...]:
    """The dates as few ranges, oldest first."""
    ranges: list[DateRange] = []
    for day in sorted(set(dates)):
        if ranges and day - ranges[-1].last == timedelta(days=1):
            ranges[-1] = DateRange(ranges[-1].first, day)
        else:
            ranges.append(DateRange(day, day))
    return tuple(ranges)


def last_partition(definition: dg.PartitionsDefinition[str]) -> date:
    """The newest partition, which is today."""
    return date.fromisoformat(definition.get_last_partition_key() or "")
