"""A model's SELECT taken apart into blocks, with every column told which source it belongs to.

A block is one SELECT without its set operations, CTEs and subqueries; those are blocks of their own. Each source of
each block bears a unique mark (`record#3`), and every column in a block's expressions is qualified by it, so that
expressions can be carried from one block into another without confusion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import Expr, exp

from dbt_like_sql.compile import folded, name_of, output_name
from dbt_like_sql.errors import ModelError

Catalog = Mapping[str, Sequence[str]]
"""Columns of each stored relation, in order."""

_NAMES_OF_FUNCTION = {
    "jsonb_each": ("key", "value"),
    "jsonb_each_text": ("key", "value"),
    "jsonb_array_elements": ("value",),
    "jsonb_array_elements_text": ("value",),
}


@dataclass(eq=False)
class Relation:
    """A stored relation as a source."""

    name: str
    columns: tuple[str, ...]


@dataclass(eq=False)
class Function:
    """A function, UNNEST or VALUES as a source; `call` is its node, with the columns it reads qualified."""

    call: Expr
    columns: tuple[str, ...]


@dataclass(eq=False)
class Derived:
    """A CTE, subquery or set operation as a source: one block for each branch, columns matched by position.

    `query` is its SQL's tree as its author wrote it.
    """

    blocks: list[Block]
    columns: tuple[str, ...]
    query: Expr | None = None


Source = Relation | Function | Derived


@dataclass(eq=False)
class Condition:
    """One conjunct of WHERE or ON.

    In the ON of an outer join (`is_outer`) it narrows only the rows of the sources in `nullable`, those that the join
    fills with nulls; of a full join, none.
    """

    test: Expr
    nullable: frozenset[str] = frozenset()
    is_outer: bool = False


@dataclass(eq=False)
class Block:
    """One SELECT: sources by mark, outputs in order, conditions, subqueries in its expressions, named windows."""

    outer: Block | None
    sources: dict[str, Source] = field(default_factory=dict[str, Source])
    aliases: dict[str, str] = field(default_factory=dict[str, str])
    merged: dict[str, Expr] = field(default_factory=dict[str, Expr])
    outputs: list[tuple[str, Expr]] = field(default_factory=list[tuple[str, Expr]])
    conditions: list[Condition] = field(default_factory=list[Condition])
    subqueries: dict[int, Derived] = field(default_factory=dict[int, Derived])
    windows: dict[str, Expr] = field(default_factory=dict[str, Expr])


def take_apart(query: exp.Query, catalog: Catalog, bound: Mapping[str, Expr] | None = None) -> Derived:
    """The blocks of a query, with the parameters named in `bound` replaced; raises ModelError for a column that cannot
    be told to belong to one source.
    """
    return _Builder(catalog, bound or {}).derived(query.copy(), {}, None)


def own_nodes(expression: Expr) -> Iterator[Expr]:
    """The nodes of an expression, those inside subqueries apart (a subquery's own node is yielded)."""
    return expression.walk(prune=lambda node: isinstance(node, exp.Query))


def own_columns(expression: Expr) -> list[exp.Column]:
    """The columns of an expression, those inside subqueries apart."""
    return [node for node in own_nodes(expression) if isinstance(node, exp.Column)]


class _Builder:
    def __init__(self, catalog: Catalog, bound: Mapping[str, Expr]) -> None:
        self.catalog = catalog
        self.bound = bound
        self.marks = 0

    def derived(self, query: Expr, ctes: Mapping[str, Derived], outer: Block | None) -> Derived:
        ctes = dict(ctes)
        for cte in query.args["with_"].expressions if query.args.get("with_") else ():
            ctes[folded(cte.args["alias"].this)] = self._cte(cte, ctes, outer)
        if isinstance(query, exp.Subquery):
            return self.derived(query.this, ctes, outer)
        if isinstance(query, exp.SetOperation):
            left, right = (self.derived(side, ctes, outer) for side in (query.this, query.expression))
            return Derived(left.blocks + right.blocks, left.columns, query)
        if not isinstance(query, exp.Select):
            return Derived([], ())
        block = self._block(query, ctes, outer)
        return Derived([block], tuple(name for name, _ in block.outputs), query)

    def _cte(self, cte: Expr, ctes: Mapping[str, Derived], outer: Block | None) -> Derived:
        """A CTE; one that reads itself sees its first branch's columns."""
        alias: Expr = cte.args["alias"]
        body = cte.this
        if isinstance(body, exp.SetOperation) and _reads(body, folded(alias.this)):
            made = self.derived(body.this, ctes, outer)
            made.columns = _renamed(made.columns, alias)
            made.blocks += self.derived(body.expression, {**ctes, folded(alias.this): made}, outer).blocks
            return made
        made = self.derived(body, ctes, outer)
        return Derived(made.blocks, _renamed(made.columns, alias), made.query)

    def _block(self, query: exp.Select, ctes: Mapping[str, Derived], outer: Block | None) -> Block:
        block = Block(outer)
        if from_ := query.args.get("from_"):
            self._add(block, from_.this, ctes)
        for join in query.args.get("joins") or ():
            before = frozenset(block.sources)
            mark = self._add(block, join.this, ctes)
            self._join(block, join, mark, before, ctes)
        if where := query.args.get("where"):
            block.conditions += [Condition(self._qualified(part, block, ctes)) for part in _conjuncts(where.this)]
        for window in query.args.get("windows") or ():
            block.windows[folded(window.this)] = self._qualified(window, block, ctes)
        for projection in query.expressions:
            block.outputs += self._outputs(projection, block, ctes)
        return block

    def _add(self, block: Block, node: Expr, ctes: Mapping[str, Derived]) -> str:
        """Adds one item of FROM and returns its mark."""
        alias = node.args.get("alias")
        name = folded(alias.this) if alias and alias.this else folded(node.this) if isinstance(node, exp.Table) else ""
        source = self._source(block, node, ctes, name)
        self.marks += 1
        mark = f"{name}#{self.marks}"
        block.sources[mark] = source
        block.aliases[name or mark] = mark
        return mark

    def _source(self, block: Block, node: Expr, ctes: Mapping[str, Derived], name: str) -> Source:
        alias = node.args.get("alias")
        inner = node.this if isinstance(node, exp.Lateral) else node
        if isinstance(inner, exp.Subquery):
            made = self.derived(inner, ctes, block)
            return Derived(made.blocks, _renamed(made.columns, alias), made.query)
        if isinstance(inner, exp.Table) and isinstance(inner.this, exp.Identifier):
            if not inner.db and (cte := ctes.get(folded(inner.this))):
                return Derived(cte.blocks, _renamed(cte.columns, alias), cte.query)
            return Relation(name_of(inner), _renamed(tuple(self.catalog.get(name_of(inner), ())), alias))
        call = self._qualified(node, block, ctes)
        columns = _renamed(_names_of_call(inner), alias) or ((name,) if name else ())
        if isinstance(offset := inner.args.get("offset"), exp.Identifier):
            columns = (*columns, folded(offset))
        return Function(call, columns)

    def _join(self, block: Block, join: Expr, mark: str, before: frozenset[str], ctes: Mapping[str, Derived]) -> None:
        side = join.text("side")
        nullable = {"LEFT": frozenset({mark}), "RIGHT": before}.get(side, frozenset[str]())
        tests: list[Expr] = []
        if on := join.args.get("on"):
            tests = [self._qualified(part, block, ctes) for part in _conjuncts(on)]
        for name in join.args.get("using") or ():
            left = self._find(block, folded(name), among=before)
            right = _column(mark, folded(name))
            block.merged[folded(name)] = {
                "RIGHT": right,
                "FULL": exp.Coalesce(this=left.copy(), expressions=[right.copy()]),
            }.get(side, left)
            tests.append(exp.EQ(this=left, expression=right))
        block.conditions += [Condition(test, nullable, is_outer=side in ("LEFT", "RIGHT", "FULL")) for test in tests]

    def _outputs(self, projection: Expr, block: Block, ctes: Mapping[str, Derived]) -> Iterator[tuple[str, Expr]]:
        if not projection.is_star:
            yield output_name(projection), self._qualified(projection.unalias(), block, ctes)
            return
        only = block.aliases.get(projection.args["table"].name) if isinstance(projection, exp.Column) else None
        for mark, source in block.sources.items():
            if only in (None, mark):
                yield from ((name, _column(mark, name)) for name in source.columns)

    def _qualified(self, expression: Expr, block: Block, ctes: Mapping[str, Derived]) -> Expr:
        """The expression with every column bearing its source's mark; subqueries in it become blocks."""
        root = exp.Paren(this=expression.copy())
        for node in list(own_nodes(root)):
            if isinstance(node, exp.Query) and not isinstance(node, exp.Subquery):
                block.subqueries[id(node)] = self.derived(node, ctes, block)
            elif isinstance(node, exp.Subquery):
                block.subqueries[id(node)] = self.derived(node.this, ctes, block)
            elif isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
                node.replace(self._resolved(node, block))
            elif isinstance(node, exp.Placeholder) and node.name in self.bound:
                node.replace(self.bound[node.name].copy())
        return root.this

    def _resolved(self, column: exp.Column, block: Block) -> Expr:
        name = folded(column.this)
        if qualifier := column.args.get("table"):
            at: Block | None = block
            while at is not None:
                if mark := at.aliases.get(folded(qualifier)):
                    return _column(mark, name)
                at = at.outer
            raise ModelError(f"the column {column.sql('postgres')} names no source of its query.")
        return self._find(block, name)

    def _find(self, block: Block, name: str, among: frozenset[str] | None = None) -> Expr:
        """The column of that name, looked up in the block's sources and then in the blocks around it."""
        at: Block | None = block
        while at is not None:
            if name in at.merged:
                return at.merged[name].copy()
            marks = [m for m, s in at.sources.items() if name in s.columns and (among is None or m in among)]
            if len(marks) > 1:
                sources = ", ".join(sorted(mark.partition("#")[0] for mark in marks))
                raise ModelError(f"the column {name} could belong to {sources}; qualify it.")
            if marks:
                return _column(marks[0], name)
            if name in at.aliases:  # the whole row, as in to_jsonb(line)
                return _column(at.aliases[name], "*")
            at = at.outer
        raise ModelError(f"the column {name} belongs to no source that the query reads.")


def _column(mark: str, name: str) -> exp.Column:
    return exp.Column(this=exp.to_identifier(name, quoted=True), table=exp.to_identifier(mark, quoted=True))


def _conjuncts(test: Expr) -> list[Expr]:
    """The parts of a test that must all hold; BETWEEN gives two."""
    while isinstance(test, exp.Paren):
        test = test.this
    if isinstance(test, exp.And):
        return _conjuncts(test.this) + _conjuncts(test.expression)
    if isinstance(test, exp.Between) and not test.args.get("symmetric"):
        low, high = test.args["low"], test.args["high"]
        return [exp.GTE(this=test.this.copy(), expression=low), exp.LTE(this=test.this.copy(), expression=high)]
    return [test]


def _renamed(columns: tuple[str, ...], alias: Expr | None) -> tuple[str, ...]:
    """The columns under the names that an alias list gives them, the rest as they were."""
    given: Sequence[Expr] = (alias.args.get("columns") or ()) if alias else ()
    names = tuple(folded(item.this if isinstance(item, exp.ColumnDef) else item) for item in given)
    return names + columns[len(names) :]


def _names_of_call(node: Expr) -> tuple[str, ...]:
    call = node.this if isinstance(node, exp.Table) else node
    return _NAMES_OF_FUNCTION.get(call.name.lower(), ()) if isinstance(call, exp.Func) else ()


def _reads(query: Expr, name: str) -> bool:
    return any(not table.db and folded(table.this) == name for table in query.find_all(exp.Table))
