"""The semantic model: everything that the files define, by name, with what the planner asks of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from dbt_like_sql.contracts import Model
from dbt_like_sql.project import Project
from dbt_like_sql.semantics.contracts import Dataset, Dimension, Entity, Measure, Metric, Source
from dbt_like_sql.semantics.expressions import Expression, Operation, Reference, parse, references


@dataclass(frozen=True)
class SemanticModel:
    """Definitions by name; `places` says where each is written (file:line)."""

    project: Project
    datasets: Mapping[str, Dataset]
    entities: Mapping[str, Entity]
    dimensions: Mapping[str, Dimension]
    measures: Mapping[str, Measure]
    metrics: Mapping[str, Metric]
    places: Mapping[tuple[str, str], str] = field(repr=False, default_factory=dict[tuple[str, str], str])

    def model_of(self, source: Source) -> Model:
        """The model behind a source."""
        return self.project.models[source.model]

    def columns_of(self, source: Source) -> Mapping[str, str]:
        """Type of each column of a source."""
        return self._columns[source.model]

    @cached_property
    def _columns(self) -> Mapping[str, Mapping[str, str]]:
        return {
            source.model: {column.name: column.type for column in self.model_of(source).spec.columns}
            for dataset in self.datasets.values()
            for source in dataset.sources
        }

    def formula(self, metric: Metric) -> Expression:
        """What a metric is computed from: measures and metrics by name; of cumulative and change, the metric itself."""
        if metric.expression is not None:
            return parse(metric.expression)
        if metric.numerator is not None and metric.denominator is not None:
            return Operation("/", (Reference(metric.numerator), Reference(metric.denominator)))
        return Reference(metric.measure or metric.metric or "")

    def measures_of(self, name: str) -> frozenset[str]:
        """The measures that a metric (or a measure) rests on."""
        if name in self.measures and name not in self.metrics:
            return frozenset({name})
        return self._rests_on[name]

    @cached_property
    def _rests_on(self) -> Mapping[str, frozenset[str]]:
        found: dict[str, frozenset[str]] = {}

        def of(name: str) -> frozenset[str]:
            if name in found:
                return found[name]
            metric = self.metrics[name]
            below: frozenset[str] = frozenset()
            for each in references(self.formula(metric)):
                is_measure = each in self.measures and (each not in self.metrics or metric.measure == each)
                below |= frozenset({each}) if is_measure else of(each)
            found[name] = below
            return below

        for name in self.metrics:
            of(name)
        return found

    def datasets_of(self, name: str) -> frozenset[str]:
        """The datasets that a metric needs."""
        return frozenset(self.measures[measure].dataset for measure in self.measures_of(name))

    def key_of(self, dimension: Dimension) -> str:
        """The column of a fact that a dimension needs."""
        return self.entities[dimension.entity].key if dimension.entity else dimension.column

    def has_dimension(self, source: Source, dimension: Dimension) -> bool:
        """Whether a source can be grouped by a dimension."""
        return self.key_of(dimension) in self.columns_of(source)

    def dimensions_of(self, dataset: Dataset) -> tuple[str, ...]:
        """Those that its fact has."""
        return self._dimensions_by_fact[dataset.fact]

    @cached_property
    def _dimensions_by_fact(self) -> Mapping[str, tuple[str, ...]]:
        return {
            dataset.fact: tuple(
                name for name, dimension in self.dimensions.items() if self.has_dimension(dataset.sources[0], dimension)
            )
            for dataset in self.datasets.values()
        }

    def dimensions_for(self, metric: str) -> tuple[str, ...]:
        """Those that a metric can be asked by: all its datasets have them."""
        datasets = [self.datasets[name] for name in self.datasets_of(metric)]
        return tuple(name for name in self.dimensions if all(name in self.dimensions_of(each) for each in datasets))
