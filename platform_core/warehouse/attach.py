"""Putting a candidate in the place of a whole partition: a month made anew need not be written twice.

It is done where nothing else lies in the partition, the rows are many, and all of them are sound: then every
(tenant, date) of it is published in one transaction. In every other case rows are copied date by date.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import groupby

import psycopg
from psycopg.errors import UniqueViolation

from platform_core.warehouse.connection import transaction
from platform_core.warehouse.contracts import TenantDate
from platform_core.warehouse.errors import CandidateLostError
from platform_core.warehouse.runs import Run
from platform_core.warehouse.shapes import shape_of
from platform_core.warehouse.store import attach as store
from platform_core.warehouse.store import partitions, publish

FROM_ROWS = 50_000
"""Below it, copying costs less than the lock that an exchange needs."""


def by_partition(run: Run, ranges: Sequence[list[date]]) -> Iterable[list[date]]:
    """The ranges, cut at the partitions' limits where a partition may be exchanged whole."""
    with transaction(run.warehouse, read_only=True) as conn:
        for days in ranges:
            parts = [list(part) for _, part in groupby(days, key=lambda day: _period(run, day))]
            whole = [replaceable(run, conn, part, publish.states(conn, run.model.relation, part)) for part in parts]
            yield from parts if len(parts) > 1 and any(whole) else [days]


def replaceable(
    run: Run, conn: psycopg.Connection, days: Sequence[date], states: Mapping[TenantDate, publish.State]
) -> partitions.Period | None:
    """The partition that the days would fill with many rows and with nothing beside them."""
    if not run.model.is_dated or run.tenant or _period(run, days[0]) != _period(run, days[-1]):
        return None
    expected = sum(state.rows for state in states.values())
    if expected < FROM_ROWS and store.expected_rows(conn, run.model, run.parameters(days)) < FROM_ROWS:
        return None
    period = _period(run, days[0])
    return None if store.holds_others(conn, run.model.relation, period, days) else period


def index(run: Run, conn: psycopg.Connection, table: str) -> bool:
    """Give a candidate the index of its grain; False where that is not unique, and it has another one instead."""
    try:
        with conn.transaction():
            publish.index_candidate(conn, table, run.model.spec.grain, unique=True)
    except UniqueViolation:
        publish.index_candidate(conn, table, ["tenant_id", "date"])
        return False
    return True


def exchange(run: Run, conn: psycopg.Connection, table: str, rows: int, period: partitions.Period) -> None:
    """Put the candidate in the place of the partition, in the caller's transaction; raises LockNotAvailable."""
    shape = shape_of(run.model)
    publish.relax_commit(conn)
    publish.allow_parallel(conn)
    for columns in shape.indexes.values():
        publish.index_candidate(conn, table, columns)
    store.dress(conn, table, [name for name, _, not_null in shape.columns if not_null], period)
    publish.analyze(conn, run.model, table)  # a partition without statistics of its own is taken for nearly empty
    if (found := store.count(conn, table)) != rows:
        raise CandidateLostError(
            f"The candidate of {run.model.relation} has {found} rows to publish, but {rows} were audited.",
            hint="The server was probably restarted in between; run the same again.",
        )
    store.exchange(conn, run.model.relation, table, period)


def _period(run: Run, day: date) -> partitions.Period:
    return partitions.period_of(day, shape_of(run.model).step or "month")
