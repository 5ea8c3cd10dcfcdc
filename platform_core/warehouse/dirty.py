"""Marks on (tenant, model, date): what is to be made anew, since something beneath it changed."""

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

import psycopg

from platform_core.warehouse.contracts import UNDATED
from platform_core.warehouse.store import dirty as store

__all__ = ["UNDATED", "due_dates", "due_undated", "mark_dirty"]


def mark_dirty(
    conn: psycopg.Connection,
    tenant_id: UUID,
    relation: str,
    dates: Iterable[date],
    *,
    reason: str,
    lookback_days: int = 0,
    due_at: datetime | None = None,
    today: date | None = None,
) -> None:
    """Mark the model dirty on each date d and on the `lookback_days` after it, in the caller's transaction.

    A mark never goes past the later of d and the day after `today` (default: today in UTC). Without `due_at` it is due
    at once; a mark that is there already is renewed and keeps the earlier of both due times. A model without dates is
    marked with `[UNDATED]`.
    """
    days = sorted(set(dates))
    if days:
        store.mark(
            conn,
            tenant=tenant_id,
            model=relation,
            dates=days,
            reason=reason,
            lookback=lookback_days,
            due_at=due_at,
            today=today,
        )


def due_dates(conn: psycopg.Connection, now: datetime) -> tuple[date, ...]:
    """Dates with a mark of any dated model that is due at `now`, oldest first; sealed dates are left out."""
    return store.due_dates(conn, now)


def due_undated(conn: psycopg.Connection, now: datetime) -> tuple[str, ...]:
    """Relations without dates (dimensions, marts) with a mark that is due at `now`."""
    return store.due_undated(conn, now)
