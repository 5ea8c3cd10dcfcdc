"""What can be asked: metrics, dimensions and datasets as people read them."""

from dataclasses import dataclass

from dbt_like_sql.semantics.contracts import Metric
from dbt_like_sql.semantics.model import SemanticModel
from platform_core.bi.errors import DatasetNotFoundError


@dataclass(frozen=True)
class MetricEntry:
    """A metric with its formula and everything that it can be asked by."""

    name: str
    label: str
    description: str
    type: str
    formula: str
    unit: str
    format: str
    direction: str
    kpi: str | None
    iso22400: str | None
    datasets: tuple[str, ...]
    dimensions: tuple[str, ...]


@dataclass(frozen=True)
class DimensionEntry:
    """A dimension with its place in the hierarchy, coarsest first."""

    name: str
    label: str
    description: str
    hierarchy: tuple[str, ...]


@dataclass(frozen=True)
class DatasetEntry:
    """A dataset: its fact, the models that answer for it, its dimensions and metrics."""

    name: str
    label: str
    fact: str
    models: tuple[str, ...]
    dimensions: tuple[str, ...]
    metrics: tuple[str, ...]


def metrics(model: SemanticModel, language: str = "en") -> tuple[MetricEntry, ...]:
    """Every metric, as the files have them."""
    return tuple(
        MetricEntry(
            name,
            metric.label.of(language),
            metric.description.of(language),
            metric.type,
            formula(model, metric),
            metric.unit,
            metric.format,
            metric.direction,
            metric.kpi,
            metric.iso22400,
            tuple(sorted(model.datasets_of(name))),
            model.dimensions_for(name),
        )
        for name, metric in model.metrics.items()
    )


def dimensions(model: SemanticModel, language: str = "en") -> tuple[DimensionEntry, ...]:
    """Every dimension."""
    entries: list[DimensionEntry] = []
    for name, dimension in model.dimensions.items():
        path, at = [name], dimension.parent
        while at is not None:
            path.insert(0, at)
            at = model.dimensions[at].parent
        entries.append(
            DimensionEntry(name, dimension.label.of(language), dimension.description.of(language), tuple(path))
        )
    return tuple(entries)


def datasets(model: SemanticModel, language: str = "en") -> tuple[DatasetEntry, ...]:
    """Every dataset."""
    return tuple(
        DatasetEntry(
            name,
            dataset.label.of(language),
            dataset.fact,
            tuple(source.model for source in dataset.sources),
            model.dimensions_of(dataset),
            tuple(metric for metric in model.metrics if name in model.datasets_of(metric)),
        )
        for name, dataset in model.datasets.items()
    )


def dataset(model: SemanticModel, name: str, language: str = "en") -> DatasetEntry:
    """One dataset; raises DatasetNotFoundError."""
    found = next((entry for entry in datasets(model, language) if entry.name == name), None)
    if found is None:
        raise DatasetNotFoundError(f"There is no dataset {name!r}.", hint=f"There are {', '.join(model.datasets)}.")
    return found


def formula(model: SemanticModel, metric: Metric) -> str:
    """How a metric is computed, in a line."""
    match metric.type:
        case "simple":
            return _measure(model, metric.measure or "")
        case "ratio":
            return f"{_part(model, metric.numerator or '')} / {_part(model, metric.denominator or '')}"
        case "cumulative":
            return f"{metric.metric} since the start of the {metric.period}"
        case "change":
            return f"{metric.as_} of {metric.metric} to {(metric.against or '').replace('_', ' ')}"
        case _:
            return metric.expression or ""


def _part(model: SemanticModel, name: str) -> str:
    return name if name in model.metrics else _measure(model, name)


def _measure(model: SemanticModel, name: str) -> str:
    measure = model.measures[name]
    text = f"{measure.aggregation}({measure.expression or '*'})"
    if measure.where is not None:
        text += f" where {measure.where}"
    return f"{text}, last of the period" if measure.over_time == "last" else text
