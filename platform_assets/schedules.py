"""When things run by themselves."""

# Dagster leaves type parameters of some decorators open.
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence
from datetime import datetime, time, timedelta

import dagster as dg

from platform_assets.jobs import DAILY, DIMENSIONS, MAINTENANCE
from platform_assets.partitions import DateRange, range_tags
from platform_assets.plants import latest_zone, today_in
from platform_core.status import timetable

DAILY_REFRESH = "daily_refresh"
HOURLY_REFRESH = "hourly_refresh"


def schedules(zones: Sequence[str], now: datetime) -> list[dg.ScheduleDefinition]:
    """One `daily_refresh` at 02:00 of each distinct plant zone, the hourly refresh of today, and maintenance.

    The plant whose date is latest has the plain name; the others carry their zone: `daily_refresh_europe_berlin`.
    """
    newest = latest_zone(zones, now)
    daily = [_daily_refresh(DAILY_REFRESH if zone == newest else _named(zone), zone) for zone in zones]
    return [*daily, _hourly_refresh(zones), _master_data(newest), _maintenance(newest)]


def _named(zone: str) -> str:
    return f"{DAILY_REFRESH}_{''.join(c if c.isalnum() else '_' for c in zone.lower())}"


def _daily_refresh(name: str, zone: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=name,
        job_name=DAILY,
        cron_schedule=_daily_at(timetable.DAILY_REFRESH),
        execution_timezone=zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"At 02:00 in {zone}: yesterday, with what came late, and today.",
    )
    def daily_refresh(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        today = today_in(zone, context.scheduled_execution_time)
        return _request(name, DateRange(today - timedelta(days=1), today))

    return daily_refresh


def _hourly_refresh(zones: Sequence[str]) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=HOURLY_REFRESH,
        job_name=DAILY,
        cron_schedule=f"{timetable.HOURLY_MINUTE} * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Five minutes past each hour: today, of every plant.",
    )
    def hourly_refresh(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        today = {today_in(zone, context.scheduled_execution_time) for zone in zones}
        return _request(HOURLY_REFRESH, DateRange(min(today), max(today)))

    return hourly_refresh


def _master_data(zone: str) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name="master_data",
        job_name=DIMENSIONS,
        cron_schedule=_daily_at(timetable.MASTER_DATA),
        execution_timezone=zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Each night, before the daily refresh: pull lines, products and other master data.",
    )


def _maintenance(zone: str) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name="maintenance_schedule",
        job_name=MAINTENANCE,
        cron_schedule="30 3 * * *",
        execution_timezone=zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Each night: partitions three months ahead, leftovers swept, old results removed.",
    )


def _daily_at(moment: time) -> str:
    return f"{moment.minute} {moment.hour} * * *"


def _request(name: str, dates: DateRange) -> dg.RunRequest:
    return dg.RunRequest(tags={**range_tags(dates), "takt/asked_by": name})
