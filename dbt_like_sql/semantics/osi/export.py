"""The semantic model as an OSI document: facts and dimension tables, how they join, and metrics as ANSI SQL.

What SQL over one row set cannot say (the last snapshot of a period, running totals, comparisons) is in the extension
of the vendor TAKT, which holds our own definition of every metric, so that nothing is lost on the way back.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import yaml

from dbt_like_sql.contracts import Column, Model
from dbt_like_sql.semantics.contracts import Dataset, Measure, Metric, MetricsFile
from dbt_like_sql.semantics.expressions import Expression, Literally, Reference, parse
from dbt_like_sql.semantics.model import SemanticModel
from dbt_like_sql.semantics.osi.contracts import (
    VENDOR,
    VERSION,
    DataType,
    DialectExpression,
    Extension,
    OsiDataset,
    OsiDocument,
    OsiExpression,
    OsiField,
    OsiMetric,
    OsiModel,
    OsiRelationship,
    TimeRole,
)

_TYPES: dict[str, DataType] = {
    "text": "String",
    "numeric": "Decimal",
    "integer": "Integer",
    "bigint": "Integer",
    "boolean": "Boolean",
    "date": "Date",
    "time": "Time",
    "timestamptz": "DateTimeTz",
}
_AGGREGATES = {"sum": "SUM({})", "min": "MIN({})", "max": "MAX({})", "count_distinct": "COUNT(DISTINCT {})"}


def export_osi(model: SemanticModel, name: str = "takt") -> str:
    """The YAML document."""
    document = OsiDocument(version=VERSION, semantic_model=(_model(model, name),))
    content = document.model_dump(mode="json", by_alias=True, exclude_none=True)
    return yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=120)


def _model(model: SemanticModel, name: str) -> OsiModel:
    own = MetricsFile(
        datasets=tuple(model.datasets.values()),
        entities=tuple(model.entities.values()),
        dimensions=tuple(model.dimensions.values()),
        measures=tuple(model.measures.values()),
        metrics=tuple(model.metrics.values()),
    )
    facts = tuple(_fact(model, each) for each in model.datasets.values())
    tables = tuple(_table(model, key) for key in model.entities)
    return OsiModel(
        name=name,
        description="Metrics of a factory over daily facts. Every row belongs to the tenant of the session.",
        datasets=(*facts, *tables),
        relationships=tuple(_relationships(model)),
        metrics=tuple(_metric(model, each) for each in model.metrics.values()),
        custom_extensions=(Extension(vendor_name=VENDOR, data=own.model_dump_json(by_alias=True, exclude_none=True)),),
    )


def _fact(model: SemanticModel, dataset: Dataset) -> OsiDataset:
    known = model.project.models[dataset.fact]
    grouped = {model.key_of(each) for each in model.dimensions.values()}
    return OsiDataset(
        name=dataset.name,
        source=_view(known),
        primary_key=known.spec.grain,
        description=" ".join(known.spec.description.split()),
        fields=tuple(_field(column, groups=column.name in grouped) for column in known.spec.columns),
        ai_context={"synonyms": [dataset.label.en, dataset.label.ko]},
    )


def _table(model: SemanticModel, name: str) -> OsiDataset:
    known = model.project.models[model.entities[name].model]
    return OsiDataset(
        name=name,
        source=_view(known),
        primary_key=known.spec.grain,
        description=" ".join(known.spec.description.split()),
        fields=tuple(_field(column, groups=column.type == "text") for column in known.spec.columns),
    )


def _view(known: Model) -> str:
    return f"{known.schema}.v_{known.name}"


def _field(column: Column, *, groups: bool) -> OsiField:
    is_time = column.type in ("date", "timestamptz")
    return OsiField(
        name=column.name,
        expression=_ansi(column.name),
        dimension=TimeRole(is_time=is_time) if groups or is_time else None,
        description=f"{column.description.rstrip('.')}. Unit: {column.unit}." if column.unit else column.description,
        datatype=_TYPES.get(column.type, "Opaque"),
    )


def _relationships(model: SemanticModel) -> Iterator[OsiRelationship]:
    for dataset in model.datasets.values():
        for name, entity in model.entities.items():
            if entity.key in model.columns_of(dataset.sources[0]):
                columns = ("tenant_id", entity.key)
                fields: dict[str, Any] = {"from": dataset.name, "to": name}
                yield OsiRelationship(name=f"{dataset.name}_{name}", from_columns=columns, to_columns=columns, **fields)


def _metric(model: SemanticModel, metric: Metric) -> OsiMetric:
    return OsiMetric(
        name=metric.name,
        expression=_ansi(_sql(model, metric)),
        description=metric.description.en,
        datatype="Decimal",
        ai_context={
            "synonyms": [metric.label.en, metric.label.ko, *([metric.iso22400] if metric.iso22400 else [])],
            "instructions": f"Unit: {metric.unit}. Better: {metric.direction}. {metric.description.ko}",
        },
        custom_extensions=(
            Extension(vendor_name=VENDOR, data=metric.model_dump_json(by_alias=True, exclude_none=True)),
        ),
    )


def _ansi(text: str) -> OsiExpression:
    return OsiExpression(dialects=(DialectExpression(dialect="ANSI_SQL", expression=text),))


def _sql(model: SemanticModel, metric: Metric) -> str:
    def named(name: str) -> str:
        if name in model.metrics and name != metric.measure:
            return f"({_sql(model, model.metrics[name])})"
        return _aggregate(model.measures[name])

    return text_of(model.formula(metric), named)


def _aggregate(measure: Measure) -> str:
    """A measure as an aggregate; `where` becomes a CASE, as not every tool knows FILTER."""

    def column(name: str) -> str:
        return f"{measure.dataset}.{name}"

    test = text_of(parse(measure.where), column) if measure.where is not None else None
    if measure.expression is None:
        return f"COUNT(CASE WHEN {test} THEN 1 END)" if test else f"COUNT({measure.dataset}.tenant_id)"
    value = text_of(parse(measure.expression), column)
    if test is not None:
        value = f"CASE WHEN {test} THEN {value} END"
    whole = _AGGREGATES[measure.aggregation].format(value)
    if measure.unknown_where is None:
        return whole
    unknown = text_of(parse(measure.unknown_where), column)
    return f"CASE WHEN COUNT(CASE WHEN {unknown} THEN 1 END) = 0 THEN {whole} END"


def text_of(expression: Expression, named: Callable[[str], str]) -> str:
    """An expression as ANSI SQL; a division by zero is null."""
    if isinstance(expression, Reference):
        return named(expression.name)
    if isinstance(expression, Literally):
        value = expression.value
        return format(value, "f") if isinstance(value, Decimal) else "'" + value.replace("'", "''") + "'"
    parts = [text_of(operand, named) for operand in expression.operands]
    match expression.operator:
        case "/":
            return f"({parts[0]} / NULLIF({parts[1]}, 0))"
        case "neg":
            return f"(-{parts[0]})"
        case "not":
            return f"(NOT {parts[0]})"
        case "is_null":
            return f"({parts[0]} IS NULL)"
        case "least" | "greatest" | "coalesce":
            return f"{expression.operator.upper()}({', '.join(parts)})"
        case operator:
            return f"({f' {operator.upper()} '.join(parts)})"
