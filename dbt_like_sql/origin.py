"""Which upstream rows a model's row was made from, as conditions worked out from its SQL and its grain.

The conditions of a row's grain (`date = made.date`) are carried through the SELECT down to each stored relation that
it reads: through CTEs, set operations, grouping and joins, and from one side of a join to the other by its equalities.
What cannot be carried (a condition on a sum, on :now) is left out, so the rows found may be more than those that
counted, never fewer. A window makes further rows count, those of its partition and range: they are an origin of their
own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import Expr, exp

from dbt_like_sql.blocks import Block, Derived, Function, Relation, own_columns, own_nodes, take_apart
from dbt_like_sql.carrying import (
    MADE,
    OUT,
    SOURCE,
    Key,
    apply,
    can_carry,
    carried,
    column,
    constants,
    marks,
    renamed,
    substituted,
    used,
)
from dbt_like_sql.compile import parse_query
from dbt_like_sql.lineage import catalog
from dbt_like_sql.project import Project

__all__ = ["MADE", "SOURCE", "Origin", "origins"]

_Known = Mapping[Key, Expr]
_Met = dict[int, tuple[_Known, Mapping[Expr, Expr]]]


@dataclass(frozen=True)
class Origin:
    """One mention of a stored relation that gave values to a model's rows.

    `conditions` are PostgreSQL predicates over the aliases MADE and SOURCE, sorted; they hold for every pair of a row
    made and a row that counted for it. `tied_by` are the columns of the row made that they use. `windows` marks rows
    that count through a window only.
    """

    relation: str
    conditions: tuple[str, ...]
    tied_by: frozenset[str]
    windows: bool


@dataclass(frozen=True)
class _Way:
    """What is carried from a block into a source of it."""

    wanted: Sequence[Expr]
    """Conditions over the source's columns, marked OUT, that hold for the rows that count."""
    needed: frozenset[str]
    """Its columns that count."""
    around: _Known
    """What columns of the blocks around are known to equal."""
    hints: Mapping[Expr, Expr]
    """Expressions that gave the row made a column. A record may have been corrected since, so beyond the grain they
    never filter the record itself; they say which row an outer join added to it, and which rows a window put beside."""
    member: _Member | None
    windows: bool
    path: tuple[int, ...]
    met: _Met
    """What was known, and what said, in each block that the row made came through so far."""


@dataclass(frozen=True)
class _Member:
    """A subquery that can be asked by itself whether a row is in it: for conditions on what its windows compute."""

    derived: Derived
    query: Expr
    tests: Sequence[Expr]

    def linked(self, block: Block, mark: str) -> str | None:
        """That the source's row is in the subquery where the conditions hold; None where they could all be carried."""
        outputs = _outputs(self.derived, block)
        if all(substituted(test, outputs) is not None for test in self.tests):
            return None
        same = [
            f'"inside"."{name}" IS NOT DISTINCT FROM "{SOURCE}"."{value.name}"'
            for name, value in outputs.items()
            if isinstance(value, exp.Column) and value.table == mark
        ]
        where = " AND ".join([*same, *(renamed(test, OUT, "inside").sql("postgres") for test in self.tests)])
        return " ".join(["EXISTS(SELECT 1 FROM (", self.query.sql("postgres"), ') AS "inside" WHERE', where, ")"])


def origins(project: Project, relation: str) -> tuple[Origin, ...]:
    """Where the rows of a model come from, each way once, in the order in which its SQL names them.

    A relation that only decides whether a row appears, and gives it no value, is not among them. A dated model's rows
    are those of a run for their date alone.
    """
    model = project.model(relation)
    day = column(MADE, "date")
    bound = {"from_date": day, "to_date": day} if model.is_dated else {}
    top = take_apart(parse_query(model.sql, where=str(model.path)), catalog(project), bound)
    wanted = [exp.EQ(this=column(OUT, name), expression=column(MADE, name)) for name in model.spec.grain]
    hints: dict[Expr, Expr] = {column(OUT, c.name): column(MADE, c.name) for c in model.spec.columns}
    start = _Way(wanted, frozenset(top.columns), {}, hints, None, False, (), {})
    return tuple(dict.fromkeys(_descend(top, start)))


def _outputs(derived: Derived, block: Block) -> dict[str, Expr]:
    """What each column of a derived source is made of in one of its blocks."""
    return dict(zip(derived.columns, (expression for _, expression in block.outputs), strict=False))


def _descend(derived: Derived, way: _Way) -> Iterator[Origin]:
    """Origins of those rows of `derived` for which all of `way.wanted` hold."""
    for block in derived.blocks:
        if id(block) in way.path:
            continue  # a recursive CTE
        outputs = _outputs(derived, block)
        values = [outputs[name] for name in sorted(way.needed) if name in outputs]
        tests = [test for want in way.wanted if (test := substituted(want, outputs)) is not None]
        inside = replace(
            way,
            around={**way.around, **constants(block, tests, way.around)},
            hints={outputs[key.name]: made for key, made in way.hints.items() if key.name in outputs},
            path=(*way.path, id(block)),
        )
        if not way.windows:
            way.met.setdefault(id(block), (_of_made(inside.around, block), inside.hints))
        yield from _sources(block, values, tests, inside)
        for node in (node for value in values for node in own_nodes(value)):
            if (inner := block.subqueries.get(id(node))) is not None:
                everything = frozenset(inner.columns)
                yield from _descend(inner, replace(inside, wanted=[], needed=everything, hints={}, member=None))
        if not way.windows:
            for window in dict.fromkeys(n for value in values for n in own_nodes(value) if isinstance(n, exp.Window)):
                yield from _through(window, block, inside, way.around)


def _of_made(known: _Known, block: Block) -> _Known:
    """What ties the block's sources to the row made."""
    return {key: value for key, value in known.items() if key[0] in block.sources and MADE in marks(value)}


def _sources(block: Block, values: Sequence[Expr], tests: Sequence[Expr], inside: _Way) -> Iterator[Origin]:
    """Origins by each source of a block that gives the values something."""
    for mark, columns in used(block, values).items():
        source = block.sources[mark]
        passed = list(dict.fromkeys(carried(block, mark, tests, inside.around, inside.hints)))
        if isinstance(source, Relation):
            yield _origin(source.name, passed, block, mark, inside)
        elif isinstance(source, Derived):
            yield from _descend(source, _into(source, mark, columns, passed, inside))


def _into(source: Derived, mark: str, columns: frozenset[str], tests: Sequence[Expr], inside: _Way) -> _Way:
    """The way into one derived source of a block."""
    passed = [renamed(test, mark, OUT) for test in tests if marks(test) <= {mark, MADE}]
    member = _Member(source, source.query, passed) if source.query is not None and _stands_alone(source) else None
    needed = frozenset(source.columns) if "*" in columns else columns
    return replace(inside, wanted=passed, needed=needed, hints=_inner_hints(inside.hints, mark), member=member)


def _inner_hints(hints: Mapping[Expr, Expr], mark: str) -> dict[Expr, Expr]:
    return {
        column(OUT, key.name): made for key, made in hints.items() if isinstance(key, exp.Column) and key.table == mark
    }


def _stands_alone(derived: Derived) -> bool:
    """Whether the subquery is one SELECT that reads stored relations only, nothing around it and no parameter."""
    if len(derived.blocks) != 1 or derived.query is None or derived.query.find(exp.Placeholder, exp.With):
        return False
    block = derived.blocks[0]
    columns = [c for _, output in block.outputs for c in own_columns(output)]
    columns += [c for condition in block.conditions for c in own_columns(condition.test)]
    stored = all(isinstance(source, Relation) for source in block.sources.values())
    return stored and not block.subqueries and all(c.table in block.sources for c in columns)


def _through(window: exp.Window, block: Block, inside: _Way, around: _Known) -> Iterator[Origin]:
    """Origins of the rows that a window puts beside the row made: those of its partition, within its range."""
    named = block.windows.get(window.text("alias").lower(), window)
    tests: list[Expr] = []
    for part in named.args.get("partition_by") or ():
        if (value := _value(part, block, inside.around, inside.hints, inside.met)) is not None:
            is_known = value in inside.around.values()
            tests.append((exp.EQ if is_known else exp.NullSafeEQ)(this=part.copy(), expression=value))
    tests += _range(named, block, inside)
    known = {**around, **constants(block, tests, around)}
    beside = replace(inside, around=known, hints={}, member=None, windows=True)
    yield from _sources(block, [window.this], tests, beside)


def _range(window: Expr, block: Block, inside: _Way) -> list[Expr]:
    """The bounds of RANGE BETWEEN over one column, where the row's own value of it is known."""
    spec, order = window.args.get("spec"), window.args.get("order")
    if spec is None or spec.text("kind").upper() != "RANGE" or order is None or len(order.expressions) != 1:
        return []
    ordered = order.expressions[0]
    value = _value(ordered.this, block, inside.around, inside.hints, inside.met)
    if value is None or ordered.args.get("desc"):
        return []
    bounds: list[Expr] = []
    for end, compare in (("start", exp.GTE), ("end", exp.LTE)):
        distance = spec.args.get(end)
        if isinstance(distance, str) and distance.upper() == "UNBOUNDED":
            continue
        limit = value.copy()
        if isinstance(distance, Expr):
            shift = exp.Sub if spec.text(f"{end}_side").upper() == "PRECEDING" else exp.Add
            limit = shift(this=limit, expression=distance.copy())
        bounds.append(compare(this=ordered.this.copy(), expression=limit))
    return bounds


def _value(expression: Expr, block: Block, known: _Known, hints: Mapping[Expr, Expr], met: _Met) -> Expr | None:
    """What an expression of a block was for the row made, in terms of that row; None where it does not say."""
    if not can_carry(expression):
        return None
    root = exp.Paren(this=expression.copy())
    apply(hints, root, {MADE})
    for node in own_columns(root):
        if node.table == MADE:
            continue
        value = known.get((node.table, node.name))
        source = block.sources.get(node.table)
        if value is None and isinstance(source, Derived) and len(source.blocks) == 1:
            value = _value_within(source, node, known, hints, met)
        if value is None:
            return None
        node.replace(value.copy() if isinstance(value, exp.Column) else exp.Paren(this=value.copy()))
    return root.this


def _value_within(
    source: Derived, node: exp.Column, known: _Known, hints: Mapping[Expr, Expr], met: _Met
) -> Expr | None:
    """What a column of a derived source was for the row made, as far as the source's own block says."""
    inner = source.blocks[0]
    outputs = _outputs(source, inner)
    if node.name not in outputs:
        return None
    wanted = [exp.EQ(this=column(OUT, name), expression=v) for (mark, name), v in known.items() if mark == node.table]
    tests = [test for want in wanted if (test := substituted(want, outputs)) is not None]
    inner_known = constants(inner, tests, {})
    said = _inner_hints(hints, node.table).items()
    inner_hints = {outputs[key.name]: made for key, made in said if key.name in outputs}
    known_before, hints_before = met.get(id(inner), ({}, {}))
    if known_before and all(inner_known.get(key) == v for key, v in known_before.items()):
        inner_hints |= hints_before  # the row made came through this block by another way, as the same row
    return _value(outputs[node.name], inner, inner_known, inner_hints, met)


def _origin(relation: str, tests: Sequence[Expr], block: Block, mark: str, way: _Way) -> Origin:
    tests = [test for test in tests if not (isinstance(test, exp.EQ) and test.this == test.expression)]
    plain = {renamed(test, mark, SOURCE).sql("postgres") for test in tests if marks(test) <= {mark, MADE}}
    grouped: dict[tuple[str, ...], list[Expr]] = {}
    for test in tests:
        if functions := tuple(sorted(marks(test) - {mark, MADE})):
            grouped.setdefault(functions, []).append(test)
    plain |= {_exists(block, mark, functions, inside) for functions, inside in grouped.items()}
    member = way.member
    if member is not None and (link := member.linked(block, mark)) is not None:
        plain.add(link)
        tests = [*tests, *member.tests]
    tied = frozenset(node.name for test in tests for node in own_columns(test) if node.table == MADE)
    return Origin(relation, tuple(sorted(plain)), tied, way.windows)


def _exists(block: Block, mark: str, functions: Sequence[str], tests: Sequence[Expr]) -> str:
    """The conditions on what functions make of the source's row, as one that asks whether they make such a row."""
    needed = set(functions)
    for name in reversed(block.sources):
        if name in needed and isinstance(source := block.sources[name], Function):
            needed |= {c.table for c in own_columns(source.call)} - {mark}
    calls: list[str] = []
    for name, source in block.sources.items():
        if name in needed and isinstance(source, Function):
            calls.append(_spelled(source.call, mark))
    where = " AND ".join(sorted({f"({_spelled(test, mark)})" for test in tests}))
    return " ".join(["EXISTS(SELECT 1 FROM", ", ".join(calls), "WHERE", where, ")"])


def _spelled(expression: Expr, mark: str) -> str:
    """The SQL with the source under its alias and functions under theirs."""
    root = exp.Paren(this=expression.copy())
    for node in own_columns(root):
        if node.table != MADE:
            node.replace(column(SOURCE if node.table == mark else node.table.partition("#")[0], node.name))
    return root.this.sql("postgres")
