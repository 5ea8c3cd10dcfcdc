"""The plan of a request: checked names, formulas over slots, a source for each scan, and the columns of the answer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from difflib import get_close_matches

from dbt_like_sql.semantics.contracts import Metric, Source
from dbt_like_sql.semantics.expressions import Operation, parse
from dbt_like_sql.semantics.model import SemanticModel
from platform_core.bi.contracts import (
    TIME,
    Choice,
    Column,
    DateRange,
    Filter,
    Grain,
    ModelState,
    Output,
    Plan,
    PlannedDimension,
    Request,
    Scan,
    Statement,
    Step,
)
from platform_core.bi.errors import DimensionNotSharedError, MetricNotFoundError, RequestInvalidError
from platform_core.bi.periods import bucket_start, earlier, resolve, step_to
from platform_core.bi.planner.choosing import Need, choose
from platform_core.bi.planner.formulas import Slots, Variant, change_ratio, slot_of

_COARSENESS: Sequence[Grain] = ("day", "month", "quarter", "year")
_GRAIN_LABELS = {"ko": "기간", "en": "Time"}


@dataclass(frozen=True)
class Ask:
    """A request whose names are known and whose dates are absolute."""

    request: Request
    dates: DateRange
    dimensions: tuple[str, ...]
    row_filters: tuple[Filter, ...]
    having: tuple[Filter, ...]


def understand(model: SemanticModel, request: Request, *, newest: Mapping[str, date | None], today: date) -> Ask:
    """Check a request against the semantic model and make its dates absolute; `newest` is by dataset.

    Raises MetricNotFoundError, DimensionNotSharedError and RequestInvalidError, each with what would have been right.
    """
    for name in request.metrics:
        if name not in model.metrics:
            raise MetricNotFoundError(f"There is no metric {name!r}.", hint=_nearest(name, model.metrics))
    for kind, names in (("metric", request.metrics), ("dimension", request.dimensions)):
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise RequestInvalidError(f"The {kind} {twice!r} is asked for twice.")
    dimensions = request.dimensions
    if request.grain == "shift" and "shift" not in dimensions:
        dimensions = ("shift", *dimensions)
    having = tuple(each for each in request.filters if each.field in request.metrics)
    row_filters = tuple(each for each in request.filters if each.field not in request.metrics)
    for name in (*dimensions, *(each.field for each in row_filters)):
        _check_dimension(model, request.metrics, name)
    for each in having:
        _numbers(each)
    if request.fill and request.grain in (None, "hour"):
        raise RequestInvalidError("Filling gaps needs a grain of a day or more.", hint="Ask by day, week or month.")
    datasets = sorted({dataset for name in request.metrics for dataset in model.datasets_of(name)})
    known = [day for name in datasets if not model.datasets[name].looks_ahead and (day := newest.get(name))]
    at = min(max(known), today) if known else None
    return Ask(request, resolve(request.time, newest=at, today=today), dimensions, row_filters, having)


def _check_dimension(model: SemanticModel, metrics: Sequence[str], name: str) -> None:
    if name not in model.dimensions:
        hint = _nearest(name, model.dimensions)
        if name in model.metrics:
            hint = "A filter on a metric works on the result: ask for the metric too."
        raise RequestInvalidError(f"There is no dimension {name!r}.", hint=hint)
    for metric in metrics:
        possible = model.dimensions_for(metric)
        if name not in possible:
            lacking = [
                model.datasets[dataset].fact
                for dataset in sorted(model.datasets_of(metric))
                if name not in model.dimensions_of(model.datasets[dataset])
            ]
            raise DimensionNotSharedError(
                f"{metric} cannot be asked by {name}: {' and '.join(lacking)} has no {name}.",
                hint=f"{metric} can be asked by {', '.join(possible)}." if possible else None,
            )


def _numbers(each: Filter) -> None:
    for value in each.values:
        if isinstance(value, str):
            raise RequestInvalidError(f"{each.field} is compared with {value!r}, which is no number.")


def _nearest(name: str, known: Mapping[str, object]) -> str:
    close = get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(close)}?" if close else f"There are {', '.join(sorted(known))}."


def scans_of(model: SemanticModel, ask: Ask) -> tuple[Slots, tuple[Output, ...], dict[tuple[str, Variant], DateRange]]:
    """Slots and outputs of a request, and the dates that each scan reads (more than is shown, when it runs)."""
    slots = Slots(model)
    outputs = tuple(_outputs(slots, ask))
    ranges: dict[tuple[str, Variant], DateRange] = {}
    for dataset, variant in slots.by_scan():
        ranges[(dataset, variant)] = earlier(_calendar(variant, ask), _step(variant, ask))
    return slots, outputs, ranges


def _outputs(slots: Slots, ask: Ask) -> Iterator[Output]:
    for name in ask.request.metrics:
        now = slots.formula(name, Variant())
        yield Output(name, now)
        if ask.request.compare is not None:
            before = slots.formula(name, Variant(ask.request.compare))
            yield Output(f"{name}__previous", before)
            yield Output(f"{name}__change", Operation("-", (now, before)))
            yield Output(f"{name}__change_ratio", change_ratio(now, before))


def _step(variant: Variant, ask: Ask) -> Step:
    return step_to(variant.against, ask.dates, ask.request.grain) if variant.against else Step()


def _calendar(variant: Variant, ask: Ask) -> DateRange:
    """The present dates of a scan."""
    if variant.period is None:
        return ask.dates
    return _running_range(ask.dates, variant.period, ask.request.grain)


def _running_range(dates: DateRange, period: str, grain: Grain | None) -> DateRange:
    """From the start of the period on, as what ran before the range counts too."""
    if grain is None:
        raise RequestInvalidError("What runs over time needs a grain.", hint="Ask by day, week or month.")
    if period == "range":
        return dates
    coarse = _COARSENESS.index("day" if grain in ("hour", "shift") else grain) if grain != "week" else len(_COARSENESS)
    if grain in ("hour", "shift", "week") or coarse > _COARSENESS.index(_grain_of(period)):
        raise RequestInvalidError(
            f"What runs since the start of the {period} cannot be asked by {grain}.",
            hint=f"Ask by day{'' if period == 'month' else ' or month'}.",
        )
    return DateRange(bucket_start(dates.first, period), dates.last, dates.months)


def _grain_of(period: str) -> Grain:
    return next(grain for grain in _COARSENESS if grain == period)


def plan(
    model: SemanticModel,
    ask: Ask,
    states: Mapping[str, ModelState],
    *,
    targets: Mapping[str, Decimal],
    language: str = "en",
    limit: int | None = None,
) -> Plan:
    """The plan of a request, given how the models stand; `limit` caps the rows beside the request's own limit."""
    slots, outputs, ranges = scans_of(model, ask)
    scans: list[Scan] = []
    choices: list[Choice] = []
    filtered = tuple(each.field for each in ask.row_filters)
    for (dataset_name, variant), wanted in slots.by_scan().items():
        dataset = model.datasets[dataset_name]
        dates = ranges[(dataset_name, variant)]
        need = Need(tuple(measure for measure, _ in wanted), (*ask.dimensions, *filtered), ask.request.grain, dates)
        source, choice = choose(model, dataset, need, states, variant.against or "current")
        choices.append(choice)
        scans.append(_scan(model, ask, source, dataset_name, variant, dates, wanted))
    request = ask.request
    limits = [each for each in (request.limit, limit) if each is not None]
    names = [*([TIME] if request.grain else []), *ask.dimensions, *(output.name for output in outputs)]
    statement = Statement(
        tuple(scans),
        ask.dimensions,
        request.grain,
        ask.dates,
        outputs,
        ask.having,
        tuple(_order(request, ask.dimensions, names)),
        min(limits) if limits else None,
        request.totals and bool(request.grain or ask.dimensions),
        request.fill,
    )
    compared = earlier(ask.dates, step_to(request.compare, ask.dates, request.grain)) if request.compare else None
    columns = tuple(_columns(model, ask, targets, language))
    return Plan(statement, tuple(choices), columns, ask.dates, compared)


def _scan(
    model: SemanticModel,
    ask: Ask,
    source: Source,
    dataset: str,
    variant: Variant,
    dates: DateRange,
    wanted: Sequence[tuple[str, str]],
) -> Scan:
    known = model.model_of(source)
    return Scan(
        dataset=dataset,
        model=source.model,
        view=f"{known.schema}.v_{known.name}",
        dates=dates,
        step=_step(variant, ask),
        hour=source.hour if ask.request.grain == "hour" else None,
        only_where=parse(source.only_where) if source.only_where else None,
        dimensions=tuple(_planned(model, source, name) for name in ask.dimensions),
        filters=tuple((_planned(model, source, each.field), each) for each in ask.row_filters),
        slots=tuple(slot_of(model, measure, slot, source.model) for measure, slot in wanted),
        running=variant.period,
        calendar=_calendar(variant, ask),
    )


def fact_scan(
    model: SemanticModel,
    ask: Ask,
    source: Source,
    dataset: str,
    measures: Sequence[str],
    filters: Sequence[Filter],
    dates: DateRange,
) -> Scan:
    """A scan of what a cell was made of: the fact itself (or its hours), with the cell's values as filters."""
    wanted = [(measure, f"m{number}") for number, measure in enumerate(measures)]
    scan = _scan(model, ask, source, dataset, Variant(), dates, wanted)
    planned = tuple((_planned(model, source, each.field), each) for each in filters)
    return replace(scan, filters=planned)


def _planned(model: SemanticModel, source: Source, name: str) -> PlannedDimension:
    """A dimension as the source reaches it: by a column of its own, or through the entity's table."""
    dimension = model.dimensions[name]
    if dimension.entity is None:
        return PlannedDimension(name, dimension.column)
    entity = model.entities[dimension.entity]
    table = model.project.models[entity.model]
    return PlannedDimension(name, dimension.column, f"{table.schema}.v_{table.name}", entity.key)


def _order(request: Request, dimensions: Sequence[str], names: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """What was asked for, then time and dimensions, so that the order of rows never depends on chance."""
    seen: set[str] = set()
    for text in request.order:
        name = text.removeprefix("-")
        if name not in names:
            raise RequestInvalidError(f"Rows cannot be ordered by {name!r}.", hint=f"By {', '.join(names)}.")
        if name not in seen:
            yield name, text.startswith("-")
        seen.add(name)
    for name in (*([TIME] if request.grain else []), *dimensions):
        if name not in seen:
            yield name, False


def _columns(model: SemanticModel, ask: Ask, targets: Mapping[str, Decimal], language: str) -> Iterator[Column]:
    if ask.request.grain is not None:
        yield Column(TIME, "time", _GRAIN_LABELS.get(language, _GRAIN_LABELS["en"]))
    for name in ask.dimensions:
        yield Column(name, "dimension", model.dimensions[name].label.of(language))
    for name in ask.request.metrics:
        yield from _metric_columns(model.metrics[name], ask, targets, language)


def _metric_columns(metric: Metric, ask: Ask, targets: Mapping[str, Decimal], language: str) -> Iterator[Column]:
    label, target = metric.label.of(language), targets.get(metric.kpi or "")
    yield Column(
        metric.name, "metric", label, metric.unit, metric.format, metric.direction, target, metric.name, "value"
    )
    if ask.request.compare is None:
        return
    previous, change = ("이전", "증감") if language == "ko" else ("before", "change")
    shared = (metric.direction, None, metric.name)
    yield Column(
        f"{metric.name}__previous", "metric", f"{label}, {previous}", metric.unit, metric.format, *shared, "previous"
    )
    yield Column(
        f"{metric.name}__change", "metric", f"{label}, {change}", metric.unit, metric.format, *shared, "change"
    )
    yield Column(
        f"{metric.name}__change_ratio", "metric", f"{label}, {change} %", "ratio", "percent", *shared, "change_ratio"
    )


def dates_read(ranges: Mapping[tuple[str, Variant], DateRange]) -> DateRange:
    """The dates that all scans together lie in."""
    first = min((each.first for each in ranges.values()), default=date.max)
    last = max((each.last for each in ranges.values()), default=date.min + timedelta(days=1))
    return DateRange(first, last)
