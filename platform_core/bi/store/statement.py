"""A planned statement written as SQL: the scans, stacked and grouped once more, then formulas, order and limit."""

from collections.abc import Iterator
from typing import Any

from psycopg import sql

from platform_core.bi.contracts import TIME, DateRange, Scan, Slot, Statement
from platform_core.bi.periods import bucket_start
from platform_core.bi.store.expressions import Binder, condition, written
from platform_core.bi.store.scans import BUCKET, key_names, scan_sql, truncated, unknown_name

# Rows of one key meet here, whatever scan they are from; null meets null, which a full join could not do.
_MERGED = "select {keys}, {slots} from ({parts}) as part group by {keys}"
_PART = "select {keys}, {slots} from {scan}{where}"
_CALENDAR = """(
    select distinct {bucket} as bucket
    from generate_series({first}::timestamp, {last}::timestamp, interval '1 day') as day
)"""
# Every bucket of every combination, so that what runs stands still where nothing happened.
_RUNNING = """
select false as is_total, {keys}, {slots}
from {calendar} as c
cross join (select distinct true as framed{dimensions} from {scan}) as f
left join {scan} as b on {same}
window w as (partition by {partition} order by c.bucket rows unbounded preceding)
"""
_FILLED = """
select false as is_total, {keys}, {slots}
from {calendar} as c
cross join (select distinct true as framed{dimensions} from merged where not is_total) as f
left join merged as b on not b.is_total and {same}
union all
select is_total, {plain_keys}, {plain_slots} from merged where is_total
"""
_FRAMELESS_FILLED = """
select false as is_total, {keys}, {slots}
from {calendar} as c
left join merged as b on not b.is_total and {same}
union all
select is_total, {plain_keys}, {plain_slots} from merged where is_total
"""
_FINAL = """
with {ctes},
result as (select is_total as "__is_total", {columns} from {source})
select {names}, "__is_total", "__row_count"
from (
    select result.*,
        row_number() over (partition by "__is_total" order by {order}) as "__row_number",
        count(*) over (partition by "__is_total") as "__row_count"
    from result{having}
) as numbered{limit}
order by "__is_total", "__row_number"
"""


def statement_sql(statement: Statement) -> tuple[sql.Composable, dict[str, Any]]:
    """The one statement and its values; its columns are those of the plan, then __is_total and __row_count."""
    writer = _Writer(statement)
    return writer.final(), writer.binder.values


class _Writer:
    def __init__(self, statement: Statement) -> None:
        self.statement = statement
        self.binder = Binder()
        self.keys = key_names(len(statement.dimensions), statement.grain)
        self.slots = [slot for scan in statement.scans for slot in scan.slots]

    def final(self) -> sql.Composable:
        statement = self.statement
        ctes = [*self._scans(), sql.SQL("merged as ({})").format(self._merged())]
        source = sql.Identifier("merged")
        if statement.fill:
            ctes.append(sql.SQL("filled as ({})").format(self._filled()))
            source = sql.Identifier("filled")
        labels = [*([TIME] if statement.grain else []), *statement.dimensions]
        columns = [
            sql.SQL("{} as {}").format(key, sql.Identifier(label)) for key, label in zip(self.keys, labels, strict=True)
        ]
        columns += [
            sql.SQL("{} as {}").format(
                written(output.formula, lambda name: sql.Identifier(name), self.binder), sql.Identifier(output.name)
            )
            for output in statement.outputs
        ]
        names = [sql.Identifier(name) for name in (*labels, *(output.name for output in statement.outputs))]
        limit = sql.SQL("")
        if statement.limit is not None:
            limit = sql.SQL('\nwhere "__is_total" or "__row_number" <= {}::bigint').format(
                self.binder.bind(statement.limit)
            )
        return sql.SQL(_FINAL).format(
            ctes=sql.SQL(",\n").join(ctes),
            columns=sql.SQL(", ").join(columns),
            source=source,
            names=sql.SQL(", ").join(names),
            order=self._order(),
            having=self._having(),
            limit=limit,
        )

    def _order(self) -> sql.Composable:
        parts: list[sql.Composable] = []
        for name, descending in self.statement.order:
            column: sql.Composable = sql.Identifier(name)
            if name in self.statement.dimensions:
                column = sql.SQL('{} collate "C"').format(column)
            way = sql.SQL("{} desc nulls last" if descending else "{} nulls last")
            parts.append(way.format(column))
        return sql.SQL(", ").join(parts) if parts else sql.SQL('"__is_total"')

    def _having(self) -> sql.Composable:
        if not self.statement.having:
            return sql.SQL("")
        tests = [
            condition(sql.Identifier(each.field), each, self.binder, is_text=False) for each in self.statement.having
        ]
        return sql.SQL('\n    where "__is_total" or ({})').format(sql.SQL(" and ").join(tests))

    def _scans(self) -> Iterator[sql.Composable]:
        for number, scan in enumerate(self.statement.scans):
            totals = self.statement.totals and scan.running is None
            body = scan_sql(scan, self.statement.grain, self.binder, totals=totals)
            yield sql.SQL("{} as ({})").format(sql.Identifier(f"b{number}"), body)
            if scan.running is not None:
                yield sql.SQL("{} as ({})").format(sql.Identifier(f"r{number}"), self._running(scan, number))

    def _running(self, scan: Scan, number: int) -> sql.Composable:
        period = sql.SQL("true")
        if scan.running not in (None, "range"):
            period = truncated(sql.SQL("c.bucket"), scan.running or "")
        slots: list[sql.Composable] = []
        for slot in scan.slots:
            for name in (slot.name, *([unknown_name(slot)] if slot.unknown_where is not None else [])):
                column = sql.Identifier(name)
                slots.append(sql.SQL("sum(b.{}) over w as {}").format(column, column))
        return sql.SQL(_RUNNING).format(
            keys=self._framed_keys(),
            slots=sql.SQL(", ").join(slots),
            calendar=self._calendar(scan.calendar),
            dimensions=self._frame(),
            scan=sql.Identifier(f"b{number}"),
            same=self._same(),
            partition=sql.SQL(", ").join([*self._dimensions("f"), period]),
        )

    def _filled(self) -> sql.Composable:
        parts = {
            "keys": self._framed_keys(),
            "slots": sql.SQL(", ").join(sql.SQL("b.{}").format(sql.Identifier(slot.name)) for slot in self.slots),
            "calendar": self._calendar(self.statement.dates),
            "same": self._same(),
            "plain_keys": sql.SQL(", ").join(self.keys),
            "plain_slots": sql.SQL(", ").join(sql.Identifier(slot.name) for slot in self.slots),
        }
        if not self.statement.dimensions:
            return sql.SQL(_FRAMELESS_FILLED).format(**parts)
        return sql.SQL(_FILLED).format(**parts, dimensions=self._frame())

    def _merged(self) -> sql.Composable:
        keys = sql.SQL(", ").join([sql.Identifier("is_total"), *self.keys])
        parts = [self._part(number, scan, keys) for number, scan in enumerate(self.statement.scans)]
        highest = sql.SQL(", ").join(
            sql.SQL("max({}) as {}").format(sql.Identifier(slot.name), sql.Identifier(slot.name)) for slot in self.slots
        )
        return sql.SQL(_MERGED).format(keys=keys, slots=highest, parts=sql.SQL(" union all ").join(parts))

    def _part(self, number: int, scan: Scan, keys: sql.Composable) -> sql.Composable:
        own = {slot.name for slot in scan.slots}
        slots = [
            sql.SQL("{} as {}").format(
                _known(slot) if slot.name in own else sql.SQL("null::numeric"), sql.Identifier(slot.name)
            )
            for slot in self.slots
        ]
        where = sql.SQL("")
        name = f"b{number}"
        if scan.running is not None:
            name = f"r{number}"
            begin = bucket_start(self.statement.dates.first, self.statement.grain or "day")
            where = sql.SQL(" where bucket >= {}::date").format(self.binder.bind(begin))
        return sql.SQL(_PART).format(keys=keys, slots=sql.SQL(", ").join(slots), scan=sql.Identifier(name), where=where)

    def _calendar(self, dates: DateRange) -> sql.Composable:
        return sql.SQL(_CALENDAR).format(
            bucket=truncated(sql.SQL("day"), self.statement.grain or "day"),
            first=self.binder.bind(dates.first),
            last=self.binder.bind(dates.last),
        )

    def _dimensions(self, alias: str) -> list[sql.Composable]:
        return [
            sql.SQL("{}.{}").format(sql.Identifier(alias), sql.Identifier(f"d{n}"))
            for n in range(len(self.statement.dimensions))
        ]

    def _framed_keys(self) -> sql.Composable:
        return sql.SQL(", ").join([sql.SQL("c.bucket"), *self._dimensions("f")])

    def _frame(self) -> sql.Composable:
        return sql.SQL("").join(sql.SQL(", {}").format(key) for key in self.keys if key is not BUCKET)

    def _same(self) -> sql.Composable:
        pairs = zip(self._dimensions("b"), self._dimensions("f"), strict=True)
        tests = [sql.SQL("{} is not distinct from {}").format(left, right) for left, right in pairs]
        return sql.SQL(" and ").join([sql.SQL("b.bucket = c.bucket"), *tests])


def _known(slot: Slot) -> sql.Composable:
    """A slot's value, null where a row made it unknown."""
    if slot.unknown_where is None:
        return sql.Identifier(slot.name)
    unknown = sql.Identifier(unknown_name(slot))
    return sql.SQL("case when {} > 0 then null else {} end").format(unknown, sql.Identifier(slot.name))
