"""One scan written as SQL: a reader view, its dates moved and put into buckets, filtered and aggregated."""

from collections.abc import Iterator, Sequence
from typing import LiteralString

from psycopg import sql

from dbt_like_sql.semantics.expressions import references
from platform_core.bi.contracts import Grain, PlannedDimension, Scan, Slot
from platform_core.bi.store.expressions import Binder, condition, written

# The inner SELECT names everything, so that the outer one groups by names. Served by the models' primary keys
# (tenant_id, date, ...), which the reader views' filters and the range of dates use.
_SCAN = """
select {keys}, {aggregates}
from (
    select {columns}
    from {view} as s {joins}
    where s.date between {first}::date and {last}::date{more}
) as x{filters}{grouping}
"""
_JOIN = "left join {table} as {alias} on {alias}.tenant_id = s.tenant_id and {alias}.{key} = s.{key}"

BUCKET = sql.Identifier("bucket")


def identifier(qualified: str) -> sql.Identifier:
    """`schema.name` of a relation, quoted."""
    return sql.Identifier(*qualified.split(".", 1))


def truncated(day: sql.Composable, grain: str) -> sql.Composable:
    """The first date of the bucket that a date or timestamp lies in."""
    if grain in ("day", "shift", "hour"):
        return sql.SQL("{}::date").format(day)
    return sql.SQL("date_trunc({}, {}::timestamp)::date").format(sql.Literal(grain), day)


def key_names(scan_dimensions: int, grain: Grain | None) -> list[sql.Identifier]:
    """What a scan is grouped by: the bucket, then the dimensions in order."""
    return [*([BUCKET] if grain else []), *(sql.Identifier(f"d{n}") for n in range(scan_dimensions))]


def unknown_name(slot: Slot) -> str:
    """The column that counts the rows which make a slot unknown."""
    return f"u_{slot.name}"


def scan_sql(scan: Scan, grain: Grain | None, binder: Binder, *, totals: bool) -> sql.Composable:
    """The SELECT of a scan: is_total, bucket, d0, d1, ..., and a column for each slot."""
    keys = key_names(len(scan.dimensions), grain)
    joins, places = joins_of(scan)
    snapshot = any(slot.last for slot in scan.slots)
    columns = [*_key_columns(scan, grain, places, binder), *_value_columns(scan)]
    moved = _moved(scan, binder)
    if snapshot:
        columns += _snapshot_columns(moved, grain)
    if not columns:
        columns = [sql.SQL("true as counted")]
    tests = [
        condition(sql.Identifier(f"f{n}"), asked, binder, is_text=True) for n, (_, asked) in enumerate(scan.filters)
    ]
    if scan.only_where is not None:
        tests.append(written(scan.only_where, _value, binder))
    more = sql.SQL("")
    if scan.step.months and grain in ("hour", "shift", "day"):
        # A day that the present month does not have has no counterpart.
        more = sql.SQL(" and extract(day from {}) = extract(day from s.date)").format(moved)
    is_total = sql.SQL("false")
    grouping = sql.SQL("")
    if keys:
        listed = sql.SQL(", ").join(keys)
        template: LiteralString = "\ngroup by grouping sets (({}), ())" if totals else "\ngroup by {}"
        grouping = sql.SQL(template).format(listed)
        if totals:
            is_total = sql.SQL("grouping({}) = 1").format(keys[0])
    return sql.SQL(_SCAN).format(
        keys=sql.SQL(", ").join([sql.SQL("{} as is_total").format(is_total), *keys]),
        aggregates=sql.SQL(", ").join(_aggregates(scan, keys, binder, totals=totals)),
        columns=sql.SQL(", ").join(columns),
        view=identifier(scan.view),
        joins=joins,
        first=binder.bind(scan.dates.first),
        last=binder.bind(scan.dates.last),
        more=more,
        filters=sql.SQL("\nwhere {}").format(sql.SQL(" and ").join(tests)) if tests else sql.SQL(""),
        grouping=grouping,
    )


def _value(name: str) -> sql.Composable:
    return sql.Identifier("x", f"c_{name}")


def _moved(scan: Scan, binder: Binder) -> sql.Composable:
    """A row's date moved onto the present range."""
    return _stepped(sql.SQL("s.date"), scan, binder)


def _stepped(moment: sql.Composable, scan: Scan, binder: Binder) -> sql.Composable:
    if not scan.step.months and not scan.step.days:
        return moment
    months, days = binder.bind(scan.step.months), binder.bind(scan.step.days)
    return sql.SQL("({} + make_interval(months => {}::integer, days => {}::integer))").format(moment, months, days)


def _key_columns(
    scan: Scan, grain: Grain | None, places: dict[str, sql.Identifier], binder: Binder
) -> Iterator[sql.Composable]:
    if grain == "hour" and scan.hour is not None:
        moment = _stepped(sql.SQL("s.{}").format(sql.Identifier(scan.hour)), scan, binder)
        yield sql.SQL("{} as bucket").format(moment)
    elif grain is not None:
        yield sql.SQL("{} as bucket").format(truncated(_moved(scan, binder), grain))
    for n, dimension in enumerate(scan.dimensions):
        yield sql.SQL("{} as {}").format(column_of(dimension, places), sql.Identifier(f"d{n}"))
    for n, (dimension, _) in enumerate(scan.filters):
        yield sql.SQL("{} as {}").format(column_of(dimension, places), sql.Identifier(f"f{n}"))


def column_of(dimension: PlannedDimension, places: dict[str, sql.Identifier]) -> sql.Composable:
    """Where a dimension's column stands, given the aliases of the joined tables."""
    alias = places[dimension.table] if dimension.table else sql.Identifier("s")
    return sql.SQL("{}.{}").format(alias, sql.Identifier(dimension.column))


def _value_columns(scan: Scan) -> Iterator[sql.Composable]:
    names: set[str] = set(references(scan.only_where)) if scan.only_where is not None else set()
    for slot in scan.slots:
        for each in (slot.expression, slot.where, slot.unknown_where):
            names |= references(each) if each is not None else frozenset()
    for name in sorted(names):
        yield sql.SQL("s.{} as {}").format(sql.Identifier(name), sql.Identifier(f"c_{name}"))


def _snapshot_columns(moved: sql.Composable, grain: Grain | None) -> list[sql.Composable]:
    """The row's date, and the last date of its bucket and of all: before any filter, so that parts make the whole."""
    columns: list[sql.Composable] = [
        sql.SQL("s.date as at"),
        sql.SQL("max(s.date) over () as last_of_all"),
    ]
    if grain is not None:
        bucket = truncated(moved, grain)
        columns.append(sql.SQL("max(s.date) over (partition by {}) as last_in_bucket").format(bucket))
    return columns


def joins_of(scan: Scan) -> tuple[sql.Composable, dict[str, sql.Identifier]]:
    """The dimension tables that the scan needs, each joined once by tenant and key."""
    places: dict[str, sql.Identifier] = {}
    written_joins: list[sql.Composable] = []
    for dimension in (*scan.dimensions, *(each for each, _ in scan.filters)):
        if dimension.table is None or dimension.key is None or dimension.table in places:
            continue
        alias = sql.Identifier(f"j{len(places)}")
        places[dimension.table] = alias
        key = sql.Identifier(dimension.key)
        written_joins.append(sql.SQL(_JOIN).format(table=identifier(dimension.table), alias=alias, key=key))
    return sql.SQL(" ").join(written_joins), places


def _aggregates(
    scan: Scan, keys: Sequence[sql.Identifier], binder: Binder, *, totals: bool
) -> Iterator[sql.Composable]:
    has_bucket = bool(keys) and keys[0] is BUCKET
    in_bucket = sql.SQL("x.at = x.last_in_bucket") if has_bucket else sql.SQL("x.at = x.last_of_all")
    for slot in scan.slots:
        if not slot.last:
            whole = _aggregate(slot, [], binder)
        elif totals and has_bucket:
            whole = sql.SQL("case when grouping({}) = 1 then {} else {} end").format(
                keys[0],
                _aggregate(slot, [sql.SQL("x.at = x.last_of_all")], binder),
                _aggregate(slot, [in_bucket], binder),
            )
        else:
            whole = _aggregate(slot, [in_bucket], binder)
        yield sql.SQL("({})::numeric as {}").format(whole, sql.Identifier(slot.name))
        if slot.unknown_where is not None:
            test = written(slot.unknown_where, _value, binder)
            yield sql.SQL("count(*) filter (where {}) as {}").format(test, sql.Identifier(unknown_name(slot)))


def _aggregate(slot: Slot, tests: list[sql.Composable], binder: Binder) -> sql.Composable:
    """An aggregate over the rows that count. A count of nothing where there are no rows is unknown and not 0."""
    there = _filtered(sql.SQL("count(*)"), tests)
    if slot.where is not None:
        tests = [*tests, written(slot.where, _value, binder)]
    if slot.expression is None:
        return sql.SQL("case when {} > 0 then {} end").format(there, _filtered(sql.SQL("count(*)"), tests))
    value = written(slot.expression, _value, binder)
    if slot.aggregation == "count_distinct":
        counted = _filtered(sql.SQL("count(distinct {})").format(value), tests)
        return sql.SQL("case when {} > 0 then {} end").format(there, counted)
    name = sql.SQL({"sum": "sum", "min": "min", "max": "max"}[slot.aggregation])  # pyright: ignore[reportArgumentType]
    return _filtered(sql.SQL("{}({})").format(name, value), tests)


def _filtered(aggregate: sql.Composable, tests: Sequence[sql.Composable]) -> sql.Composable:
    if not tests:
        return aggregate
    return sql.SQL("{} filter (where {})").format(aggregate, sql.SQL(" and ").join(tests))
