"""Keeping the warehouse in shape: partitions ahead of time."""

from datetime import date
from typing import Literal

import psycopg

from platform_core.warehouse.store import partitions


def ensure_partitions(
    conn: psycopg.Connection, relation: str, first: date, last: date, *, by: Literal["month", "quarter"] = "month"
) -> tuple[str, ...]:
    """Make the partitions of `relation` that miss between two dates, both included; returns those it made.

    It locks out no reader or writer, but another session making partitions of the same relation waits until the
    caller's transaction ends: call it in a short one.
    """
    return partitions.ensure(conn, relation, first, last, by)
