"""The rows of a fact under a cell of an answer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from platform_core.bi.contracts import Scan
from platform_core.bi.store.expressions import Binder, condition, written
from platform_core.bi.store.scans import column_of, identifier, joins_of

# Served by the primary key of the fact (tenant_id, date, ...).
_ROWS = """
select {columns}, count(*) over () as "__total"
from {view} as s {joins}
where {tests}
order by {order}
limit {limit}
"""
_LAST_SNAPSHOT = "s.date = (select max(o.date) from {view} as o where o.date between {first}::date and {last}::date)"


def rows_of(
    conn: psycopg.Connection,
    scan: Scan,
    grain: Sequence[str],
    columns: Sequence[str],
    hour: datetime | None,
    limit: int,
) -> tuple[list[dict[str, Any]], int]:
    """The first rows of a scan in the order of the fact's grain, and how many there are."""
    binder = Binder()
    joins, places = joins_of(scan)
    bounds = {"first": binder.bind(scan.dates.first), "last": binder.bind(scan.dates.last)}
    tests: list[sql.Composable] = [sql.SQL("s.date between {first}::date and {last}::date").format(**bounds)]
    tests += [condition(column_of(each, places), asked, binder, is_text=True) for each, asked in scan.filters]
    if all(slot.last for slot in scan.slots):
        tests.append(sql.SQL(_LAST_SNAPSHOT).format(view=identifier(scan.view), **bounds))
    counted = [written(slot.where, _own, binder) for slot in scan.slots if slot.where is not None]
    if len(counted) == len(scan.slots):  # where every slot leaves rows out, the rows that none takes are not shown
        tests.append(sql.SQL("({})").format(sql.SQL(" or ").join(counted)))
    if hour is not None and scan.hour is not None:
        tests.append(sql.SQL("s.{} = {}").format(sql.Identifier(scan.hour), binder.bind(hour)))
    query = sql.SQL(_ROWS).format(
        columns=sql.SQL(", ").join(_own(name) for name in (*grain, *columns)),
        view=identifier(scan.view),
        joins=joins,
        tests=sql.SQL(" and ").join(tests),
        order=sql.SQL(", ").join(_own(name) for name in grain),
        limit=binder.bind(limit),
    )
    found = conn.cursor(row_factory=dict_row).execute(query, binder.values).fetchall()
    total = found[0]["__total"] if found else 0
    return [{name: value for name, value in row.items() if name != "__total"} for row in found], total


def _own(name: str) -> sql.Composable:
    return sql.SQL("s.{}").format(sql.Identifier(name))
