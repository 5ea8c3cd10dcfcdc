"""Which upstream columns each output column of a model is made of, parsed from its SQL."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from sqlglot import Expr, exp

from dbt_like_sql.blocks import Block, Catalog, Derived, Function, Relation, own_columns, own_nodes, take_apart
from dbt_like_sql.compile import parse_query
from dbt_like_sql.contracts import Model
from dbt_like_sql.errors import ModelError
from dbt_like_sql.project import Project

Leaf = tuple[str, str]
"""A relation (`core.erp_mes_data`) and one of its columns."""

_RECORD = ("source_pk", "source_system", "source_version", "raw_data", "content_hash", "received_at", "load_id")
CORE_COLUMNS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "core.erp_mes_data": (
            *("tenant_id", "record_type", *_RECORD, "source_row"),
            *("business_date", "line_code", "is_current"),
        ),
        "core.master_record": ("tenant_id", "record_type", *_RECORD, "source_row"),
        "core.tenants": (
            *("id", "slug", "display_name", "settings", "subscription_plan", "max_users", "max_workflows"),
            *("max_judgments_per_month", "status", "deleted_at", "created_at", "updated_at"),
        ),
    }
)
"""Columns of the tables below the models, as the migrations make them (a test compares)."""


def catalog(project: Project) -> Catalog:
    """Columns of everything that a model may read."""
    made = {relation: [column.name for column in model.spec.columns] for relation, model in project.models.items()}
    return {**CORE_COLUMNS, **made}


def column_lineage(project: Project, relation: str) -> dict[str, list[Leaf]]:
    """For each output column of the model, in order, the upstream columns its value is made of, sorted.

    Conditions and grouping are not values: `count(*)` is made of nothing. Raises ModelError for an unknown model, or
    where a column cannot be told to belong to one source.
    """
    model = project.model(relation)
    return lineage_of(model, catalog(project))


def lineage_of(model: Model, known: Catalog) -> dict[str, list[Leaf]]:
    """As `column_lineage`, for a model and the columns of what it reads."""
    try:
        made = take_apart(parse_query(model.sql, where=str(model.path)), known)
    except ModelError as error:
        raise ModelError(f"{model.path}: {error.message}", hint=error.hint) from error
    walk = _Walk(made)
    return {name: sorted(walk.leaves_of_output(made, index)) for index, name in enumerate(made.columns)}


class _Walk:
    """Follows columns to stored relations; remembers what it has found, so that each column is followed once."""

    def __init__(self, top: Derived) -> None:
        self.owner: dict[str, Block] = {}
        self.found: dict[tuple[int, int], frozenset[Leaf]] = {}
        self._register(top)

    def _register(self, derived: Derived) -> None:
        for block in derived.blocks:
            if any(mark in self.owner for mark in block.sources):
                continue  # a CTE that several read
            self.owner |= dict.fromkeys(block.sources, block)
            for inner in [*block.sources.values(), *block.subqueries.values()]:
                if isinstance(inner, Derived):
                    self._register(inner)

    def leaves_of_output(self, derived: Derived, index: int) -> frozenset[Leaf]:
        leaves: frozenset[Leaf] = frozenset()
        for block in derived.blocks:
            key = (id(block), index)
            if key not in self.found:
                self.found[key] = frozenset()  # a recursive CTE asks again before it is known
                self.found[key] = self._leaves(block.outputs[index][1], block)
            leaves |= self.found[key]
        return leaves

    def _leaves(self, expression: Expr, block: Block) -> frozenset[Leaf]:
        leaves: frozenset[Leaf] = frozenset()
        for column in own_columns(expression):
            if not isinstance(column.this, exp.Star):
                leaves |= self._leaves_of_column(column.table, column.name)
        for node in own_nodes(expression):
            if (inner := block.subqueries.get(id(node))) is not None:
                for index in range(len(inner.columns)):
                    leaves |= self.leaves_of_output(inner, index)
        return leaves

    def _leaves_of_column(self, mark: str, name: str) -> frozenset[Leaf]:
        block = self.owner[mark]
        source = block.sources[mark]
        if isinstance(source, Relation):
            return frozenset((source.name, column) for column in (source.columns if name == "*" else (name,)))
        if isinstance(source, Function):
            return self._leaves(source.call, block)
        indexes = range(len(source.columns)) if name == "*" else (_index(source, name),)
        return frozenset(leaf for index in indexes for leaf in self.leaves_of_output(source, index))


def _index(source: Derived, name: str) -> int:
    if name not in source.columns:
        raise ModelError(f"the column {name} is not among {', '.join(source.columns)}.")
    return source.columns.index(name)
