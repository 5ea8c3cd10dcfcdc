"""The time zones of the plants: they decide which production date is today and when 02:00 is."""

import logging
from collections.abc import Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo

import psycopg

from dbt_like_sql.errors import TaktError
from platform_assets import store
from platform_core.settings import Settings
from platform_core.warehouse import embedded
from platform_core.warehouse.connection import external_warehouse, open_warehouse, transaction

DEFAULT_ZONE = "Asia/Seoul"

_log = logging.getLogger("takt.definitions")


def plant_zones(settings: Settings) -> tuple[str, ...]:
    """Every plant's zone, sorted; DEFAULT_ZONE alone, with a warning, while the warehouse is away.

    Definitions must load without the warehouse, and loading them must not start a server.
    """
    if external_warehouse(settings) is None and embedded.running(settings) is None:
        _log.warning("The warehouse is not running; definitions use the packaged defaults (%s).", DEFAULT_ZONE)
        return (DEFAULT_ZONE,)
    try:
        with transaction(open_warehouse(settings), read_only=True) as conn:
            zones = store.plant_zones(conn)
    except (TaktError, psycopg.Error) as error:
        _log.warning("The warehouse cannot be read (%s); definitions use the packaged defaults.", error)
        return (DEFAULT_ZONE,)
    return tuple(sorted(zone for zone in zones if _exists(zone))) or (DEFAULT_ZONE,)


def latest_zone(zones: Iterable[str], now: datetime) -> str:
    """The zone whose calendar is furthest ahead: its date is the latest plant's date."""
    return max(sorted(zones), key=lambda zone: now.astimezone(ZoneInfo(zone)).utcoffset())  # pyright: ignore


def today_in(zone: str, now: datetime) -> date:
    """The calendar date in a zone."""
    return now.astimezone(ZoneInfo(zone)).date()


def _exists(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError):
        _log.warning("%r is not a time zone; its plants have no schedule of their own.", zone)
        return False
    return True
