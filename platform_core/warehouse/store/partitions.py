"""SQL of range partitions by date: which exist, and how one is made without stopping readers or writers."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Literal, NamedTuple

import psycopg
from psycopg import sql

Step = Literal["month", "quarter"]

MAKING_PARTITIONS = 0x54414B54
"""Class of the advisory lock under which partitions are made: two sessions making the same one would collide."""

CHILDREN = """
select child.relname
from pg_inherits join pg_class as child on child.oid = inhrelid
where inhparent = to_regclass(%(relation)s)
"""
LOCK = "select pg_advisory_xact_lock(%(class)s, hashtext(%(relation)s))"

# Made apart and attached: CREATE TABLE ... PARTITION OF would lock the parent against every reader until commit.
CREATE = "create table {child} (like {parent} including defaults including constraints including storage)"
ATTACH = "alter table {parent} attach partition {child} for values from ({first}) to ({end})"
# A policy of the parent does not reach someone who names the partition; without one of its own it shows nothing.
SECURE = "alter table {child} enable row level security"


class Period(NamedTuple):
    """One partition's dates: from `first` up to and without `end`."""

    suffix: str
    first: date
    end: date


def split(relation: str) -> tuple[str, str]:
    """Schema and name of `schema.name`."""
    schema, _, name = relation.partition(".")
    return schema, name


def identifier(relation: str) -> sql.Identifier:
    """`schema.name`, quoted."""
    return sql.Identifier(*split(relation))


def period_of(day: date, step: Step) -> Period:
    """The partition that holds the day: `p202601` or `p2026q1`."""
    months = 1 if step == "month" else 3
    start = date(day.year, (day.month - 1) // months * months + 1, 1)
    end = (start + timedelta(days=31 * months)).replace(day=1)  # 31 days after a first is always in the next month
    suffix = f"p{start:%Y%m}" if step == "month" else f"p{start.year}q{(start.month + 2) // 3}"
    return Period(suffix, start, end)


def periods(first: date, last: date, step: Step) -> Iterator[Period]:
    """The partitions that hold the days from `first` to `last`, both included."""
    day = first
    while day <= last:
        period = period_of(day, step)
        yield period
        day = period.end


def existing(conn: psycopg.Connection, relation: str) -> frozenset[str]:
    """Names of the partitions that are attached."""
    return frozenset(name for (name,) in conn.execute(CHILDREN, {"relation": relation}))


def ensure(conn: psycopg.Connection, relation: str, first: date, last: date, step: Step) -> tuple[str, ...]:
    """Make the partitions that miss between two dates, both included; returns the names of those it made."""
    schema, name = split(relation)
    wanted = [(f"{name}_{period.suffix}", period) for period in periods(first, last, step)]
    there = existing(conn, relation)
    if all(child in there for child, _ in wanted):
        return ()
    conn.execute(LOCK, {"class": MAKING_PARTITIONS, "relation": relation})
    there = existing(conn, relation)
    made: list[str] = []
    for child, period in wanted:
        if child in there:
            continue
        names = {"parent": sql.Identifier(schema, name), "child": sql.Identifier(schema, child)}
        conn.execute(sql.SQL(CREATE).format(**names))
        conn.execute(sql.SQL(SECURE).format(**names))
        bounds = {"first": sql.Literal(period.first), "end": sql.Literal(period.end)}
        conn.execute(sql.SQL(ATTACH).format(**names, **bounds))
        made.append(child)
    return tuple(made)
