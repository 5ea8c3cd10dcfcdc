"""The expectations that a model's contract states, each with a stable name, without great-expectations itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from dbt_like_sql.contracts import Model
from platform_core.warehouse.contracts import CheckSeverity

RuleKind = Literal["not_null", "range", "values", "unique", "freshness", "where_broken", "broken_rows"]

IS_FRESH = "is_fresh"
"""The check of a model with freshness_hours; its limit lies in rule_config as `hours`."""

RULE_TYPES: Mapping[RuleKind, str] = {
    "not_null": "not_null",
    "range": "range",
    "values": "pattern",
    "unique": "uniqueness",
    "freshness": "custom_sql",
    "where_broken": "custom_sql",
    "broken_rows": "custom_sql",
}
"""How bi.data_quality_rules names each kind."""


@dataclass(frozen=True)
class Rule:
    """One expectation: what it is called, how grave a breach is, and what it looks at."""

    name: str
    kind: RuleKind
    severity: CheckSeverity
    description: str
    columns: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    sql: str = ""
    """Of `where_broken` a predicate, of `broken_rows` a SELECT; empty for the others."""


def rules_of(model: Model) -> tuple[Rule, ...]:
    """Every expectation of the model: those of its columns, of its grain, of its freshness, and its named checks.

    Those of a mart warn only: it has been refreshed when they are evaluated, so that they cannot hold it back.
    """
    rules = tuple(_rules(model))
    if model.spec.materialized != "materialized_view":
        return rules
    return tuple(replace(rule, severity="warning") if rule.severity == "error" else rule for rule in rules)


def check_names(model: Model) -> tuple[str, ...]:
    """The names of the model's expectations: `<column>_not_null`, `<column>_in_range`, `grain_is_unique` and so on."""
    return tuple(rule.name for rule in _rules(model))


def _rules(model: Model) -> Iterator[Rule]:
    spec = model.spec
    for column in spec.columns:
        name = column.name
        if column.not_null or name in spec.grain:
            severity: CheckSeverity = "error" if name in spec.grain else column.severity
            yield Rule(f"{name}_not_null", "not_null", severity, f"{name} is never null.", (name,))
        if column.range is not None:
            low, high = column.range
            text = (
                f"{name} is {'' if low is None else f'at least {low:g}'}{' and ' if None not in column.range else ''}"
            )
            text += "" if high is None else f"at most {high:g}"
            config = {"minimum": low, "maximum": high}
            yield Rule(f"{name}_in_range", "range", column.severity, f"{text}.", (name,), config)
        if column.values is not None:
            text = f"{name} is one of {', '.join(column.values)}."
            yield Rule(f"{name}_in_set", "values", column.severity, text, (name,), {"values": list(column.values)})
    yield Rule("grain_is_unique", "unique", "error", f"One row for each {', '.join(spec.grain)}.", spec.grain)
    if (hours := spec.freshness_hours) is not None:
        text = (
            f"A tenant's newest date with rows ended at most {hours} hours ago; one that never had any is not judged."
        )
        yield Rule(IS_FRESH, "freshness", "warning", text, config={"hours": hours})
    for check in spec.checks:
        kind: RuleKind = "where_broken" if check.where_broken is not None else "broken_rows"
        text = check.where_broken or check.broken_rows or ""
        yield Rule(check.name, kind, check.severity, check.description, (), {"sql": text}, text)
