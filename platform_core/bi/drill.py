"""From a cell of an answer down to the rows of the facts that it is made of, and from each to its raw records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from dbt_like_sql.semantics.contracts import Dataset, Source
from dbt_like_sql.semantics.expressions import parse, references
from dbt_like_sql.semantics.model import SemanticModel
from platform_core.bi.contracts import TIME, TIMEOUT_SECONDS, DateRange, Filter, Request
from platform_core.bi.errors import MetricNotFoundError, RequestInvalidError
from platform_core.bi.periods import bucket_end, bucket_start
from platform_core.bi.planner.planning import Ask, fact_scan, understand
from platform_core.bi.service import Asker, session, today_of
from platform_core.bi.store import facts as fact_store
from platform_core.bi.store import state as store
from platform_core.trace.contracts import Trace
from platform_core.trace.service import trace
from platform_core.warehouse.connection import Warehouse

LIMIT = 20


@dataclass(frozen=True)
class FactRow:
    """A row of a fact: its key, what the metric takes from it, and where that came from."""

    key: Mapping[str, Any]
    values: Mapping[str, Any]
    trace: Trace | None


@dataclass(frozen=True)
class DrilledFact:
    """The rows of one fact under a cell; `total` counts also those left out."""

    model: str
    total: int
    rows: tuple[FactRow, ...]


def drill(
    warehouse: Warehouse,
    model: SemanticModel,
    request: Request,
    metric: str,
    cell: Mapping[str, str | None],
    *,
    asker: Asker,
    now: datetime,
    limit: int = LIMIT,
    with_records: bool = True,
) -> tuple[DrilledFact, ...]:
    """The fact rows under one metric of one row of an answer, and the raw records under each of them.

    `cell` holds the row's values by column: its dimensions (None: unknown), and for `time` the bucket's first day (or
    its hour). Rows are found as the asker sees them; only those are then traced. Raises MetricNotFoundError and
    RequestInvalidError.
    """
    if metric not in request.metrics:
        raise MetricNotFoundError(f"The request does not ask for {metric!r}.", hint=", ".join(request.metrics))
    found: list[tuple[Dataset, Source, list[dict[str, Any]], int]] = []
    with session(warehouse, asker, TIMEOUT_SECONDS) as conn:
        facts = {name: dataset.fact for name, dataset in model.datasets.items()}
        context = store.context(conn, list(facts.values()))
        today = today_of(context.zones, asker.tenant, now)
        newest = {name: context.newest.get(fact) for name, fact in facts.items()}
        ask = understand(model, request, newest=newest, today=today)
        filters, hour = _conditions(ask, cell)
        for name in sorted(model.datasets_of(metric)):
            dataset = model.datasets[name]
            source = _source(dataset, ask)
            measures = [each for each in sorted(model.measures_of(metric)) if model.measures[each].dataset == name]
            scan = fact_scan(model, ask, source, name, measures, filters, _dates(ask, cell))
            grain = model.model_of(source).spec.grain
            rows, total = fact_store.rows_of(conn, scan, grain, _columns(model, measures, grain), hour, limit)
            found.append((dataset, source, rows, total))
    return tuple(
        DrilledFact(
            source.model, total, tuple(_row(warehouse, model, source, row, asker, with_records) for row in rows)
        )
        for _, source, rows, total in found
    )


def _conditions(ask: Ask, cell: Mapping[str, str | None]) -> tuple[tuple[Filter, ...], datetime | None]:
    """The request's own filters and the cell's values."""
    filters = list(ask.row_filters)
    hour = None
    for name, value in cell.items():
        if name == TIME:
            hour = _moment(value) if ask.request.grain == "hour" else None
        elif name not in ask.dimensions:
            raise RequestInvalidError(f"{name!r} is no dimension of the request.", hint=", ".join(ask.dimensions))
        elif value is None:
            filters.append(Filter(field=name, operator="is_null"))
        else:
            filters.append(Filter(field=name, operator="eq", values=(value,)))
    return tuple(filters), hour


def _moment(value: str | None) -> datetime:
    try:
        return datetime.fromisoformat(value or "")
    except ValueError as error:
        raise RequestInvalidError(
            f"{value!r} is no hour.", hint="An hour is such as 2026-05-20T01:00:00+00:00."
        ) from error


def _dates(ask: Ask, cell: Mapping[str, str | None]) -> DateRange:
    """The request's dates, within the cell's bucket."""
    grain = ask.request.grain
    if TIME not in cell or grain is None or grain == "hour":
        return ask.dates
    try:
        day = date.fromisoformat(cell[TIME] or "")
    except ValueError as error:
        raise RequestInvalidError(f"{cell[TIME]!r} is no date.", hint="A date is such as 2026-05-20.") from error
    first, last = bucket_start(day, grain), bucket_end(day, grain)
    first, last = max(first, ask.dates.first), min(last, ask.dates.last)
    if first > last:
        raise RequestInvalidError(f"{day} lies outside the request's dates, {ask.dates.first} to {ask.dates.last}.")
    return DateRange(first, last)


def _source(dataset: Dataset, ask: Ask) -> Source:
    if ask.request.grain != "hour":
        return dataset.sources[0]
    hourly = next((source for source in dataset.sources if source.hour is not None), None)
    if hourly is None:
        raise RequestInvalidError(f"{dataset.name} has no hours.")
    return hourly


def _columns(model: SemanticModel, measures: Sequence[str], grain: Sequence[str]) -> list[str]:
    """The columns that the measures are made of."""
    names: set[str] = set()
    for measure in measures:
        known = model.measures[measure]
        for text in (known.expression, known.where, known.unknown_where):
            names |= references(parse(text)) if text is not None else set[str]()
    return sorted(names - set(grain))


def _row(
    warehouse: Warehouse, model: SemanticModel, source: Source, row: dict[str, Any], asker: Asker, with_records: bool
) -> FactRow:
    grain = model.model_of(source).spec.grain
    key = {name: row[name] for name in grain if name != "tenant_id"}
    values = {name: value for name, value in row.items() if name not in grain}
    if not with_records:
        return FactRow(key, values, None)
    where = {name: value.isoformat() if isinstance(value, date) else str(value) for name, value in key.items()}
    traced = trace(
        warehouse, model.project, source.model, tenant=asker.tenant, where=where, columns=tuple(values), limit=LIMIT
    )
    return FactRow(key, values, traced)
