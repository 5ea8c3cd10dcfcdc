"""The house rules for models: each a small function that returns a complaint or None; `lint` runs them all.

Add a rule by writing the function and naming it in RULES; its test plants a model that breaks it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from sqlglot import Expr, exp

from dbt_like_sql import check_sql
from dbt_like_sql.blocks import Block, Derived, Relation, Source, own_columns, own_nodes, take_apart
from dbt_like_sql.compile import columns, folded, parameters, parse_query
from dbt_like_sql.contracts import Check, Column, Layer, Materialization, Model
from dbt_like_sql.errors import ModelError
from dbt_like_sql.lineage import catalog, lineage_of
from dbt_like_sql.project import Project

PREFIXES: Mapping[Layer, str] = {"staging": "stg_", "dimensions": "dim_", "facts": "fact_", "marts": "mv_"}
ABOVE: Mapping[Layer, frozenset[Layer]] = {
    "staging": frozenset({"dimensions"}),
    "dimensions": frozenset(),
    "facts": frozenset({"staging", "dimensions"}),
    "marts": frozenset({"facts", "dimensions"}),
}
"""What each layer reads, tables of `core` apart. Staging needs the lines' zones to split events at production dates."""
KEPT_AS: Mapping[Layer, frozenset[Materialization]] = {
    "staging": frozenset({"partitioned_table"}),
    "dimensions": frozenset({"table"}),
    "facts": frozenset({"partitioned_table", "view"}),
    "marts": frozenset({"materialized_view", "view"}),
}
READERS_OF_CORE: Mapping[str, frozenset[Layer]] = {
    "core.erp_mes_data": frozenset({"staging"}),
    "core.master_record": frozenset({"dimensions"}),
    "core.tenants": frozenset({"staging", "dimensions", "facts"}),
}
WITHOUT_TENANT = frozenset({"dim_date"})
STAGING_COLUMNS = ("tenant_id", "date", "source_system", "source_pk", "load_id", "source_row", "line_code")
MEASURES = ("numeric", "double precision", "real")
UNSTEADY = ("current_date", "current_time", "current_timestamp", "now", "clock_timestamp", "random", "gen_random_uuid")


@dataclass(frozen=True)
class Estate:
    """What a rule may look at beside the model: the project, and which models have SQL cases (None: cannot be told)."""

    project: Project
    with_cases: frozenset[str] | None = None


Rule = Callable[[Model, Estate], str | None]


@dataclass(frozen=True)
class Complaint:
    """A model broke a rule."""

    model: Model
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.model.path}: {self.message} [{self.rule}]"


@dataclass
class _Parsed:
    """A model's query, taken apart once for all rules that look into it."""

    model: Model
    estate: Estate

    @cached_property
    def query(self) -> exp.Query:
        return parse_query(self.model.sql, where=str(self.model.path))

    def blocks(self) -> Iterator[Block]:
        """Every block of the query, each once; none where the columns cannot be followed (a rule of its own)."""
        try:
            top = take_apart(self.query, catalog(self.estate.project))
        except ModelError:
            return
        seen: set[int] = set()
        waiting = list(top.blocks)
        while waiting:
            block = waiting.pop()
            if id(block) in seen:
                continue
            seen.add(id(block))
            yield block
            for inner in [*block.sources.values(), *block.subqueries.values()]:
                waiting += inner.blocks if isinstance(inner, Derived) else []


def name_carries_layer(model: Model, estate: Estate) -> str | None:
    """stg_, dim_, fact_, mv_; views v_."""
    prefix = PREFIXES[model.layer]
    wanted = "v_" if model.spec.materialized == "view" else prefix
    return (
        None if model.name.startswith(wanted) else f"the name of this model of {model.layer} must begin with {wanted}"
    )


def kept_as_its_layer_is(model: Model, estate: Estate) -> str | None:
    """Staging by partition, dimensions whole, facts by partition, marts as materialized views."""
    if model.spec.materialized in KEPT_AS[model.layer]:
        return None
    return f"{model.layer} are kept as {' or '.join(sorted(KEPT_AS[model.layer]))}, not {model.spec.materialized}"


def reads_only_from_layers_above(model: Model, estate: Estate) -> str | None:
    """Data flows one way; a view may also read its own layer's tables."""
    allowed = ABOVE[model.layer] | ({model.layer} if model.spec.materialized == "view" else set[Layer]())
    for upstream in model.upstreams:
        made = estate.project.models.get(upstream)
        if made is not None and made.layer not in allowed:
            return f"reads {upstream} of {made.layer}; {model.layer} read from {', '.join(sorted(allowed)) or 'core'}"
    return None


def only_staging_reads_records(model: Model, estate: Estate) -> str | None:
    """Records are parsed once: dated ones by staging, master data by dimensions."""
    for upstream in model.upstreams:
        if upstream in estate.project.models:
            continue
        if model.layer not in READERS_OF_CORE.get(upstream, frozenset[Layer]()):
            return f"reads {upstream}, which {model.layer} may not"
    return None


def selects_no_star(model: Model, estate: Estate) -> str | None:
    """A star over a stored relation, or as the answer, changes meaning when a column is added above."""
    query = _Parsed(model, estate).query
    if any(projection.is_star for select in _final(query) for projection in select.expressions):
        return "answers with SELECT *; name the columns"
    for select in query.find_all(exp.Select):
        stored = {table.alias_or_name for table in _from(select) if table.db}
        for projection in select.expressions:
            table = projection.args.get("table") if isinstance(projection, exp.Column) else None
            if projection.is_star and ((table is None and stored) or (table is not None and table.name in stored)):
                return f"selects {projection.sql('postgres')} from {', '.join(sorted(stored))}; name the columns"
    return None


def documents_what_it_selects(model: Model, estate: Estate) -> str | None:
    """Columns of the .yml are those of the SELECT, in its order."""
    selected, documented = columns(model), tuple(column.name for column in model.spec.columns)
    if selected == documented:
        return None
    if missing := [name for name in selected if name not in documented]:
        return f"does not document {', '.join(missing)}"
    if extra := [name for name in documented if name not in selected]:
        return f"documents {', '.join(extra)}, which the SELECT does not give"
    first = next((a, b) for a, b in zip(selected, documented, strict=True) if a != b)
    return f"documents {first[1]} where the SELECT has {first[0]}; put both in one order"


def grain_is_selected(model: Model, estate: Estate) -> str | None:
    """Every column of the grain exists."""
    missing = [name for name in model.spec.grain if name not in columns(model)]
    return f"does not select {', '.join(missing)} of its grain" if missing else None


def grain_is_not_null(model: Model, estate: Estate) -> str | None:
    """A unique index lets rows with a null key repeat."""
    nullable = [c.name for c in model.spec.columns if c.name in model.spec.grain and not c.not_null]
    return f"must say not_null for {', '.join(nullable)}: the grain is the key" if nullable else None


def tenant_is_in_the_grain(model: Model, estate: Estate) -> str | None:
    """First, because every index begins with it."""
    if model.name in WITHOUT_TENANT or model.spec.grain[0] == "tenant_id":
        return None
    return "the grain must begin with tenant_id"


def date_is_in_the_grain(model: Model, estate: Estate) -> str | None:
    """Publication replaces the rows of a tenant and date."""
    if model.is_dated and "date" not in model.spec.grain:
        return "is filled date by date, so its grain must hold date"
    return None


def staging_knows_its_record(model: Model, estate: Estate) -> str | None:
    """A staging row leads back to its raw record."""
    missing = [name for name in STAGING_COLUMNS if name not in columns(model)]
    return (
        f"lacks {', '.join(missing)}, which lead back to the record" if model.layer == "staging" and missing else None
    )


def window_fits_materialization(model: Model, estate: Estate) -> str | None:
    """Dated models take the window they are asked for; the others are made whole."""
    asked = parameters(model.sql)
    if model.is_dated:
        missing = {"from_date", "to_date"} - asked
        return f"never uses {', '.join(f':{name}' for name in sorted(missing))}" if missing else None
    return f"is made whole and must not use {', '.join(f':{name}' for name in sorted(asked))}" if asked else None


def reads_no_clock(model: Model, estate: Estate) -> str | None:
    """Made twice from the same records, a model gives the same rows; the moment comes as :now."""
    for node in _Parsed(model, estate).query.find_all(exp.Func):
        name = (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()
        if name in UNSTEADY:
            return f"calls {name}(); take the moment as :now and dates as :from_date and :to_date"
    return None


def divides_safely(model: Model, estate: Estate) -> str | None:
    """One zero must not fail a whole date: a divisor is a number or nullif(..., 0), here or where it is computed."""
    blocks = list(_Parsed(model, estate).blocks())
    sources = {mark: source for block in blocks for mark, source in block.sources.items()}
    for block in blocks:
        for expression in [*(output for _, output in block.outputs), *(c.test for c in block.conditions)]:
            for node in own_nodes(expression):
                if isinstance(node, exp.Div | exp.Mod) and not _is_safe(node.expression, sources):
                    divisor = _plain(node.expression)
                    return f"divides by {divisor}; write nullif({divisor}, 0)"
    return None


def joins_keep_tenants_apart(model: Model, estate: Estate) -> str | None:
    """Everything with a tenant that meets in one FROM is tied together by tenant."""
    for block in _Parsed(model, estate).blocks():
        marks = {m: _tenant_column(s) for m, s in block.sources.items() if _tenant_column(s)}
        groups = [{mark} for mark in marks]
        for condition in block.conditions:
            if isinstance(condition.test, exp.EQ):
                sides = [c for c in own_columns(condition.test) if marks.get(c.table) == c.name]
                tied = [group for group in groups if any(side.table in group for side in sides)]
                groups = [group for group in groups if group not in tied] + ([set().union(*tied)] if tied else [])
        if len(groups) > 1:
            names = " and ".join(sorted(min(group).partition("#")[0] for group in groups))
            return f"joins {names} without equating their tenant_id"
    return None


def windows_keep_tenants_apart(model: Model, estate: Estate) -> str | None:
    """A window over rows of two tenants would mix them."""
    if model.name in WITHOUT_TENANT:
        return None
    for window in _Parsed(model, estate).query.find_all(exp.Window):
        parts = cast("list[Expr]", window.args.get("partition_by") or [])
        refers = window.args.get("alias") is not None and not parts
        if not refers and not any(isinstance(part, exp.Column) and folded(part.this) == "tenant_id" for part in parts):
            return f"has a window that is not partitioned by tenant_id: {window.sql('postgres')[:80]}"
    return None


def columns_can_be_followed(model: Model, estate: Estate) -> str | None:
    """Lineage and trace come from the SQL, so every column must lead to one source."""
    try:
        lineage_of(model, catalog(estate.project))
    except ModelError as error:
        return error.message.removeprefix(f"{model.path}: ")
    return None


def numbers_have_units(model: Model, estate: Estate) -> str | None:
    """A measure without a unit cannot be read; whole numbers are counts, codes and parts of dates."""
    bare = [c.name for c in model.spec.columns if c.type.lower().startswith(MEASURES) and c.unit is None]
    return f"names no unit for {', '.join(bare)}" if bare else None


def contract_names_its_own_columns(model: Model, estate: Estate) -> str | None:
    """Indexes name columns there are, and checks are SQL over them."""
    known = {column.name for column in model.spec.columns}
    if unknown := sorted({name for index in model.spec.indexes for name in index} - known):
        return f"has an index on {', '.join(unknown)}, which it does not select"
    for check in model.spec.checks:
        if check.where_broken is not None and (complaint := check_sql.predicate_complaint(check.where_broken, known)):
            return f"check {check.name}: {complaint}"
        if check.broken_rows is not None and (
            complaint := check_sql.rows_complaint(
                check.broken_rows, model, catalog(estate.project), estate.project.models
            )
        ):
            return f"check {check.name}: {complaint}"
    return None


def marts_hold_nothing_back(model: Model, estate: Estate) -> str | None:
    """A mart is refreshed whole, for everyone at once, and checked afterwards: an error there could stop nothing."""
    if model.spec.materialized != "materialized_view":
        return None
    stated: list[Check | Column] = [
        *model.spec.checks,
        *(c for c in model.spec.columns if "severity" in c.model_fields_set),
    ]
    grave = [each.name for each in stated if each.severity == "error"]
    return f"gives {', '.join(grave)} severity error; say warning, or check the facts it reads" if grave else None


def facts_and_marts_have_a_case(model: Model, estate: Estate) -> str | None:
    """A number people trust has an answer known beforehand."""
    if estate.with_cases is None or model.layer not in ("facts", "marts") or model.name in estate.with_cases:
        return None
    return f"has no case in tests/sql_cases/{model.name}/"


RULES: tuple[Rule, ...] = (
    name_carries_layer,
    kept_as_its_layer_is,
    reads_only_from_layers_above,
    only_staging_reads_records,
    selects_no_star,
    documents_what_it_selects,
    grain_is_selected,
    grain_is_not_null,
    tenant_is_in_the_grain,
    date_is_in_the_grain,
    staging_knows_its_record,
    window_fits_materialization,
    reads_no_clock,
    divides_safely,
    joins_keep_tenants_apart,
    windows_keep_tenants_apart,
    columns_can_be_followed,
    numbers_have_units,
    contract_names_its_own_columns,
    marts_hold_nothing_back,
    facts_and_marts_have_a_case,
)


def lint(estate: Estate) -> list[Complaint]:
    """Every rule on every model."""
    return [
        Complaint(model, rule.__name__, message)
        for model in estate.project.models.values()
        for rule in RULES
        if (message := rule(model, estate)) is not None
    ]


def _final(query: Expr) -> Iterator[exp.Select]:
    """The SELECTs whose rows are the answer."""
    if isinstance(query, exp.SetOperation):
        yield from _final(query.this)
        yield from _final(query.expression)
    elif isinstance(query, exp.Subquery):
        yield from _final(query.this)
    elif isinstance(query, exp.Select):
        yield query


def _from(select: exp.Select) -> list[exp.Table]:
    items = [select.args["from_"].this] if select.args.get("from_") else []
    items += [join.this for join in select.args.get("joins") or ()]
    return [item for item in items if isinstance(item, exp.Table)]


def _is_safe(divisor: Expr, sources: Mapping[str, Source]) -> bool:
    divisor = divisor.unnest()
    if isinstance(divisor, exp.Literal):
        return float(divisor.name) != 0
    if isinstance(divisor, exp.Column) and isinstance(source := sources.get(divisor.table), Derived):
        at = [source.columns.index(divisor.name)] if divisor.name in source.columns else []
        return bool(at) and all(_is_safe(block.outputs[at[0]][1], sources) for block in source.blocks)
    return isinstance(divisor, exp.Nullif)


def _plain(expression: Expr) -> str:
    """The expression as its author wrote it, without the marks of sources."""
    copy = expression.copy()
    for column in list(copy.find_all(exp.Column)):
        plain = exp.column(column.name, column.table.partition("#")[0])
        if column is copy:
            return plain.sql("postgres")
        column.replace(plain)
    return copy.sql("postgres")


def _tenant_column(source: object) -> str | None:
    if isinstance(source, Relation) and source.name == "core.tenants":
        return "id"
    return "tenant_id" if isinstance(source, Relation | Derived) and "tenant_id" in source.columns else None
