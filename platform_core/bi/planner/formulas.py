"""From metrics to formulas over slots: which aggregates are needed, of which time, and how they make the metric."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dbt_like_sql.semantics.contracts import Against, Metric, Period
from dbt_like_sql.semantics.expressions import Expression, Operation, Reference, parse, replaced
from dbt_like_sql.semantics.model import SemanticModel
from platform_core.bi.contracts import Slot
from platform_core.bi.errors import RequestInvalidError


@dataclass(frozen=True)
class Variant:
    """Which time a slot is of: now or what it is compared with, plain or running since the start of a period."""

    against: Against | None = None
    period: Period | None = None


@dataclass
class Slots:
    """Collects what the formulas need: one slot for each measure and variant."""

    model: SemanticModel
    names: dict[tuple[str, Variant], str] = field(default_factory=dict[tuple[str, Variant], str])

    def formula(self, name: str, variant: Variant) -> Expression:
        """A metric, or a measure by its name, as a formula over slots."""
        metric = self.model.metrics.get(name)
        if metric is None:
            return self._slot(name, variant)
        match metric.type:
            case "change":
                return self._change(metric, variant)
            case "cumulative":
                return self.formula(metric.metric or "", Variant(variant.against, metric.period))
            case _:
                return replaced(self.model.formula(metric), lambda each: self._below(metric, each, variant))

    def _below(self, metric: Metric, name: str, variant: Variant) -> Expression:
        if name == metric.measure or name not in self.model.metrics:
            return self._slot(name, variant)
        return self.formula(name, variant)

    def _change(self, metric: Metric, variant: Variant) -> Expression:
        if variant.against is not None:
            raise RequestInvalidError(
                f"{metric.name} is a comparison itself.", hint=f"Compare {metric.metric}, or leave out compare."
            )
        now = self.formula(metric.metric or "", variant)
        before = self.formula(metric.metric or "", Variant(metric.against, variant.period))
        return change_ratio(now, before) if metric.as_ == "ratio" else Operation("-", (now, before))

    def _slot(self, measure: str, variant: Variant) -> Reference:
        return Reference(self.names.setdefault((measure, variant), f"m{len(self.names)}"))

    def by_scan(self) -> Mapping[tuple[str, Variant], list[tuple[str, str]]]:
        """(measure, slot) of each dataset and variant: one scan for each."""
        found: dict[tuple[str, Variant], list[tuple[str, str]]] = {}
        for (measure, variant), slot in self.names.items():
            found.setdefault((self.model.measures[measure].dataset, variant), []).append((measure, slot))
        return found


def change_ratio(now: Expression, before: Expression) -> Expression:
    """The change as a share of the earlier value."""
    return Operation("/", (Operation("-", (now, before)), before))


def slot_of(model: SemanticModel, measure_name: str, slot: str, source: str) -> Slot:
    """A measure's aggregate as the source holds it."""
    measure = model.measures[measure_name]
    dataset = model.datasets[measure.dataset]
    place = next(each for each in dataset.sources if each.model == source)
    expression, where, unknown = measure.expression, measure.where, measure.unknown_where
    if (reading := place.measures.get(measure_name)) is not None:
        expression, where, unknown = reading.expression, None, reading.unknown_where
    return Slot(
        slot,
        measure_name,
        measure.aggregation,
        _parsed(expression),
        _parsed(where),
        _parsed(unknown),
        measure.over_time == "last",
    )


def _parsed(text: str | None) -> Expression | None:
    return parse(text) if text is not None else None
