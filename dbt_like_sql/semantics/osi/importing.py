"""An OSI document as definitions of ours: measures and metrics over the datasets that we have.

Where the document carries our own definitions they are taken as they are. Otherwise each metric's ANSI SQL is taken
apart: its aggregates become measures of the dataset that their fields are of, what is around them the formula.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from sqlglot import Expr as Node
from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import ParseError, TokenError

from dbt_like_sql.contracts_file import Loader
from dbt_like_sql.semantics.contracts import MetricsFile
from dbt_like_sql.semantics.errors import MetricDefinitionError
from dbt_like_sql.semantics.expressions import references
from dbt_like_sql.semantics.loading import read_semantics
from dbt_like_sql.semantics.model import SemanticModel
from dbt_like_sql.semantics.osi.contracts import VENDOR, OsiDocument, OsiMetric, OsiModel

_MAX_LENGTH = 1000
_SIGNS: dict[type[Node], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}
_AGGREGATES: dict[type[Node], str] = {exp.Sum: "sum", exp.Min: "min", exp.Max: "max"}


@dataclass(frozen=True)
class Imported:
    """The base with what was new, the new definitions as YAML, and why others were left out, by name."""

    model: SemanticModel
    text: str
    left_out: dict[str, str]


def read_osi(text: str) -> OsiDocument:
    """The document; raises MetricDefinitionError that names every key which the specification does not allow."""
    try:
        return OsiDocument.model_validate(yaml.load(text, Loader=Loader))
    except (yaml.YAMLError, RecursionError) as error:
        raise MetricDefinitionError("The document is not readable as YAML.") from error
    except ValidationError as error:
        said = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors(include_url=False)]
        raise MetricDefinitionError("\n".join(said)) from error


def import_osi(base: SemanticModel, text: str) -> Imported:
    """The metrics of a document on top of `base`; those that the base has already stay as they are.

    A metric that cannot be said in our language, or does not fit our models, is left out with the reason.
    """
    waiting = {
        metric.name: (found, metric)
        for found in read_osi(text).semantic_model
        for metric in found.metrics or ()
        if metric.name not in base.metrics
    }
    added: dict[str, list[Any]] = {"measures": [], "metrics": []}
    model, left_out = base, dict[str, str]()
    while waiting:  # a metric may need one that the document names later
        before = len(waiting)
        for name, (found, metric) in list(waiting.items()):
            try:
                part = _own(found, metric.name, model) or _Reader(base, found, metric).definitions()
                model = read_semantics(base.project, {"osi": json.dumps(part)}, model)
            except MetricDefinitionError as error:
                left_out[name] = str(error)
                continue
            del waiting[name]
            left_out.pop(name, None)
            for kind in added:
                added[kind] += part.get(kind, [])
        if len(waiting) == before:
            break
    content = {kind: items for kind, items in added.items() if items}
    return Imported(model, yaml.safe_dump(content, allow_unicode=True, sort_keys=False), left_out)


def _own(found: OsiModel, name: str, model: SemanticModel) -> dict[str, list[dict[str, Any]]] | None:
    """Our own definition of a metric, where the document has it, with the measures that are new."""
    data = next((each.data for each in found.custom_extensions or () if each.vendor_name == VENDOR), None)
    if data is None:
        return None
    try:
        content = MetricsFile.model_validate_json(data)
    except ValidationError as error:
        raise MetricDefinitionError(f"The extension of {VENDOR} holds what no file of ours may.") from error
    metric = next((each for each in content.metrics if each.name == name), None)
    if metric is None:
        return None
    words = references(model.formula(metric)) - model.measures.keys()
    measures = [each for each in content.measures if each.name in words]
    return {"measures": [_plain(each) for each in measures], "metrics": [_plain(metric)]}


def _plain(definition: BaseModel) -> dict[str, Any]:
    return definition.model_dump(mode="json", by_alias=True, exclude_none=True)


@dataclass
class _Reader:
    base: SemanticModel
    found: OsiModel
    metric: OsiMetric
    measures: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def definitions(self) -> dict[str, Any]:
        """The metric and the measures that it needs, as our files have them."""
        text = next((each.expression for each in self.metric.expression.dialects if each.dialect == "ANSI_SQL"), None)
        if text is None:
            raise MetricDefinitionError(f"{self.metric.name} has no expression in ANSI_SQL.")
        formula = self._formula(self._parsed(text))
        label = {"ko": self.metric.name, "en": self.metric.name}
        described = self.metric.description or self.metric.name
        metric = {
            "name": self.metric.name, "label": label, "description": {"ko": described, "en": described},
            "type": "derived", "expression": formula, "unit": "number", "format": "number", "direction": "neutral",
        }  # fmt: skip
        return {"measures": self.measures, "metrics": [metric]}

    def _parsed(self, text: str) -> Node:
        if len(text) > _MAX_LENGTH:
            raise MetricDefinitionError(f"{self.metric.name}: the expression is longer than {_MAX_LENGTH} characters.")
        try:
            found = Postgres().parse(f"SELECT {text}")
        except (ParseError, TokenError, RecursionError) as error:
            raise MetricDefinitionError(f"{self.metric.name}: {text!r} is not readable.") from error
        select = found[0] if len(found) == 1 else None
        if not isinstance(select, exp.Select) or len(select.expressions) != 1 or select.args.get("from_"):
            raise MetricDefinitionError(f"{self.metric.name}: {text!r} is more than one expression.")
        return select.expressions[0]

    def _formula(self, node: Node) -> str:
        """The expression around the aggregates. NULLIF by zero goes, as our division is null by zero anyway."""
        if isinstance(node, exp.Nullif) and node.expression.sql() == "0":
            return self._formula(node.this)
        if isinstance(node, exp.Paren):
            return f"({self._formula(node.this)})"
        if (sign := _SIGNS.get(type(node))) is not None:
            return f"{self._formula(node.this)} {sign} {self._formula(node.expression)}"
        if isinstance(node, exp.Literal) and not node.is_string:
            return str(node.this)
        if isinstance(node, exp.Count) or type(node) in _AGGREGATES:
            return self._measure(node)
        raise MetricDefinitionError(f"{self.metric.name}: {node.sql('postgres')!r} cannot be said in our language.")

    def _measure(self, node: Node) -> str:
        """A measure for an aggregate; a CASE without ELSE in it says which rows count."""
        inner, aggregation, where = node.this, _AGGREGATES.get(type(node), "count"), None
        if isinstance(inner, exp.Distinct) and len(inner.expressions) == 1:
            inner, aggregation = inner.expressions[0], "count_distinct"
        if isinstance(inner, exp.Case) and len(inner.args["ifs"]) == 1 and not inner.args.get("default"):
            branch = inner.args["ifs"][0]
            where, inner = branch.this, branch.args["true"]
        dataset = self._dataset([*inner.find_all(exp.Column), *(where.find_all(exp.Column) if where else ())])
        name = f"{self.metric.name}_{len(self.measures) + 1}"
        measure: dict[str, Any] = {"name": name, "dataset": dataset, "aggregation": aggregation}
        if aggregation != "count":
            measure["expression"] = _bare(inner)
        if where is not None:
            measure["where"] = _bare(where)
        if self.base.datasets[dataset].snapshot and aggregation in ("sum", "count"):
            measure["over_time"] = "last"
        self.measures.append(measure)
        return name

    def _dataset(self, columns: list[exp.Column]) -> str:
        """Our dataset that the fields are of: by the source of theirs, else by its name."""
        names = {column.table for column in columns}
        if len(names) != 1:
            raise MetricDefinitionError(f"{self.metric.name}: an aggregate is over the fields of one dataset.")
        theirs = next((each for each in self.found.datasets if each.name in names), None)
        source = theirs.source if theirs and isinstance(theirs.source, str) else next(iter(names))
        for dataset in self.base.datasets.values():
            schema, _, table = dataset.fact.partition(".")
            if re.fullmatch(rf"(.*\.)?({schema}\.)?(v_)?{table}", source) or source == dataset.name:
                return dataset.name
        raise MetricDefinitionError(f"{self.metric.name}: {source!r} is none of our datasets.")


def _bare(node: Node) -> str:
    """An expression with its fields as plain columns."""
    copy = node.copy()
    for column in copy.find_all(exp.Column):
        column.set("table", None)
    return copy.sql("postgres")
