"""What a semantic model must be for its numbers to be right; each rule returns complaints that begin with file:line."""

from collections.abc import Iterator, Mapping

from dbt_like_sql.contracts import Column, Model
from dbt_like_sql.semantics.additivity import SNAPSHOT_UNITS, Additivity, additivity
from dbt_like_sql.semantics.contracts import Dataset, Measure, Metric, Source
from dbt_like_sql.semantics.errors import ExpressionError
from dbt_like_sql.semantics.expressions import Expression, Kind, kind_of, kind_of_type, nearest, parse, references
from dbt_like_sql.semantics.model import SemanticModel

TIME_NAMES = ("time", "hour", "day", "week", "month", "quarter", "year", "date")
_KPI_TABLE = "bi.dim_kpi"


def complaints(model: SemanticModel) -> list[str]:
    """Everything that is wrong, sorted by where it stands; what rests on something wrong is not complained about."""
    found: list[str] = []
    for rule in (_names, _datasets, _entities):
        found += rule(model)
    if not found:
        for rule in (_dimensions, _measures, _readings):
            found += rule(model)
    if not found:
        found += _references(model)
    if not found:
        found += _circles(model)
    if not found:
        found += _wrapped(model)
    return sorted(found)


def _names(model: SemanticModel) -> Iterator[str]:
    for name in model.dimensions:
        if name in model.metrics or name in model.measures:
            yield f"{model.places[('dimensions', name)]}: {name!r} is the name of a metric or measure too."
        if name in TIME_NAMES:
            yield f"{model.places[('dimensions', name)]}: {name!r} is a grain of time."
    for name, metric in model.metrics.items():
        if name in TIME_NAMES:
            yield f"{model.places[('metrics', name)]}: {name!r} is a grain of time."
        if name in model.measures and metric.measure != name:
            yield f"{model.places[('metrics', name)]}: {name!r} is the name of a measure that it is not made of."


def _datasets(model: SemanticModel) -> Iterator[str]:
    for name, dataset in model.datasets.items():
        place = model.places[("datasets", name)]
        for source in dataset.sources:
            known = model.project.models.get(source.model)
            if known is None:
                yield f"{place}: {source.model!r} is no model{nearest(source.model, model.project.models)}"
            else:
                yield from (f"{place}: {text}" for text in _source(model, dataset, source, known))


def _source(model: SemanticModel, dataset: Dataset, source: Source, known: Model) -> Iterator[str]:
    kinds = _kinds(known)
    for needed in ("tenant_id", "date"):
        if needed not in kinds:
            yield f"{source.model} has no column {needed!r}, so it is no source of a dataset."
    if source.hour is not None and kinds.get(source.hour) != "time":
        yield f"{source.model} has no timestamptz {source.hour!r}{nearest(source.hour, kinds)}"
    if source is dataset.sources[0] and source.window_days is not None:
        yield f"{source.model} is the fact; only what is made from it has a window."
    if source.only_where is not None:
        yield from _typed(source.only_where, kinds, "boolean", f"only_where of {source.model}")
    for measure in source.measures:
        if measure not in model.measures:
            yield f"{source.model}: there is no measure {measure!r}{nearest(measure, model.measures)}"


def _entities(model: SemanticModel) -> Iterator[str]:
    for name, entity in model.entities.items():
        place = model.places[("entities", name)]
        table = model.project.models.get(entity.model)
        if table is None:
            yield f"{place}: {entity.model!r} is no model{nearest(entity.model, model.project.models)}"
            continue
        kinds = _kinds(table)
        if entity.key not in kinds:
            yield f"{place}: {entity.model} has no column {entity.key!r}{nearest(entity.key, kinds)}"
        elif set(table.spec.grain) != {"tenant_id", entity.key}:
            yield (
                f"{place}: the join is ambiguous: {entity.model} has a row for each {', '.join(table.spec.grain)}, "
                f"which is several for one {entity.key}."
            )


def _dimensions(model: SemanticModel) -> Iterator[str]:
    columns: dict[str, Kind] = {
        column: kind
        for dataset in model.datasets.values()
        for source in dataset.sources
        for column, kind in _kinds(model.model_of(source)).items()
    }
    for name, dimension in model.dimensions.items():
        place = model.places[("dimensions", name)]
        known: Mapping[str, Kind] = columns
        owner = "any dataset"
        if dimension.entity is not None:
            entity = model.entities.get(dimension.entity)
            if entity is None:
                yield f"{place}: there is no entity {dimension.entity!r}{nearest(dimension.entity, model.entities)}"
                continue
            known, owner = _kinds(model.project.models[entity.model]), entity.model
        if dimension.column not in known:
            yield f"{place}: {owner} has no column {dimension.column!r}{nearest(dimension.column, known)}"
        elif known[dimension.column] != "text":
            yield f"{place}: {dimension.column} of {owner} is a {known[dimension.column]}, and a dimension is a text."
        yield from _ancestry(model, name, place)


def _ancestry(model: SemanticModel, name: str, place: str) -> Iterator[str]:
    seen, at = [name], model.dimensions[name].parent
    while at is not None:
        if at not in model.dimensions:
            yield f"{place}: there is no dimension {at!r}{nearest(at, model.dimensions)}"
            return
        if at in seen:
            yield f"{place}: the hierarchy goes in a circle: {' > '.join([*seen, at])}."
            return
        seen.append(at)
        at = model.dimensions[at].parent


def _measures(model: SemanticModel) -> Iterator[str]:
    for name, measure in model.measures.items():
        place = model.places[("measures", name)]
        dataset = model.datasets.get(measure.dataset)
        if dataset is None:
            yield f"{place}: there is no dataset {measure.dataset!r}{nearest(measure.dataset, model.datasets)}"
            continue
        fact = model.model_of(dataset.sources[0])
        yield from (f"{place}: {text}" for text in _measure(measure, dataset, fact))


def _measure(measure: Measure, dataset: Dataset, fact: Model) -> Iterator[str]:
    kinds = _kinds(fact)
    for text, what in ((measure.where, "where"), (measure.unknown_where, "unknown_where")):
        if text is not None:
            yield from _typed(text, kinds, "boolean", f"{what} of {measure.name}")
    if dataset.snapshot and measure.aggregation in ("sum", "count") and measure.over_time is None:
        yield f"{measure.name} needs over_time: {dataset.name} is a snapshot, whose days do not add up."
    if not dataset.snapshot and measure.over_time is not None:
        yield f"{measure.name} has over_time, but {dataset.name} is no snapshot."
    if measure.expression is None:
        return
    wanted: Kind | None = None if measure.aggregation == "count_distinct" else "number"
    wrong = list(_typed(measure.expression, kinds, wanted, measure.name))
    yield from wrong
    if not wrong and measure.aggregation == "sum":
        yield from _grain(measure, parse(measure.expression), fact)


def _grain(measure: Measure, expression: Expression, fact: Model) -> Iterator[str]:
    """Only amounts may be summed; what is per day may be summed over things, never over days."""
    columns: Mapping[str, Column] = {column.name: column for column in fact.spec.columns}
    found = additivity(expression, columns)
    if found is Additivity.AMOUNT or (found is Additivity.PER_DAY and measure.over_time == "last"):
        return
    units = ", ".join(f"{name} ({columns[name].unit})" for name in sorted(references(expression)))
    how = f"; over days it may only be `over_time: last` ({', '.join(SNAPSHOT_UNITS)})"
    yield (
        f"{measure.name} sums {units or 'a constant'} of {fact.relation}, which is of the wrong grain: a rate, mean or "
        f"ratio does not add up{how if found is Additivity.PER_DAY else ''}. Sum what it is made of and divide after."
    )


def _readings(model: SemanticModel) -> Iterator[str]:
    for name, dataset in model.datasets.items():
        place = model.places[("datasets", name)]
        for source in dataset.sources:
            kinds = _kinds(model.model_of(source))
            for measure, reading in source.measures.items():
                what = f"{place}: {measure} in {source.model}"
                yield from _typed(reading.expression, kinds, "number", what)
                if reading.unknown_where is not None:
                    yield from _typed(reading.unknown_where, kinds, "boolean", what)


def _references(model: SemanticModel) -> Iterator[str]:
    known: dict[str, Kind] = dict.fromkeys([*model.measures, *model.metrics], "number")
    kpis = _KPI_TABLE in model.project.models
    for name, metric in model.metrics.items():
        place = model.places[("metrics", name)]
        if metric.type == "simple" and metric.measure not in model.measures:
            yield f"{place}: there is no measure {metric.measure!r}{nearest(metric.measure or '', model.measures)}"
            continue
        if metric.type in ("cumulative", "change") and metric.metric not in model.metrics:
            yield f"{place}: there is no metric {metric.metric!r}{nearest(metric.metric or '', model.metrics)}"
            continue
        if metric.kpi is not None and not kpis:
            yield f"{place}: the project has no {_KPI_TABLE}, so {name} cannot have a target."
        try:
            kind = kind_of(model.formula(metric), known)
        except ExpressionError as error:
            yield f"{place}: {name}: {error}"
            continue
        if kind != "number":
            yield f"{place}: {name} is a {kind}, and a metric is a number."
        elif not references(model.formula(metric)):
            yield f"{place}: {name} rests on no measure."


def _circles(model: SemanticModel) -> Iterator[str]:
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> Iterator[str]:
        if name in path:
            circle = " -> ".join([*path[path.index(name) :], name])
            yield f"{model.places[('metrics', name)]}: metrics need each other in a circle: {circle}."
            return
        if name in done or name not in model.metrics:
            return
        metric = model.metrics[name]
        for below in sorted(references(model.formula(metric))):
            if below != metric.measure:
                yield from walk(below, (*path, name))
        done.add(name)

    for name in model.metrics:
        if circle := next(walk(name, ()), None):
            yield circle
            return


def _wrapped(model: SemanticModel) -> Iterator[str]:
    """What runs over time or is compared is made of plain metrics, and what runs is made of sums."""
    for name, metric in model.metrics.items():
        place = model.places[("metrics", name)]
        for below in sorted(references(model.formula(metric))):
            inner = model.metrics.get(below) if below != metric.measure else None
            if inner is None or inner.type not in ("cumulative", "change"):
                continue
            if metric.type in ("cumulative", "change"):
                yield f"{place}: {name} is made of {below}, which is {inner.type} itself."
        if metric.type == "cumulative":
            yield from (f"{place}: {text}" for text in _running(model, metric))


def _running(model: SemanticModel, metric: Metric) -> Iterator[str]:
    for measure in sorted(model.measures_of(metric.name)):
        found = model.measures[measure]
        if found.aggregation != "sum" or found.over_time == "last":
            yield f"{metric.name} runs over {measure}, which does not add up over time."


def _kinds(model: Model) -> dict[str, Kind]:
    return {column.name: kind_of_type(column.type) for column in model.spec.columns}


def _typed(text: str, kinds: Mapping[str, Kind], wanted: Kind | None, what: str) -> Iterator[str]:
    try:
        kind = kind_of(parse(text), kinds)
    except ExpressionError as error:
        yield f"{what}: {error}"
        return
    if wanted is not None and kind != wanted:
        yield f"{what} is a {kind}, and a {wanted} is needed."
