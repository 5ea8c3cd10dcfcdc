"""Which upstream rows a model's row was made from, as conditions worked out from its SQL and its grain.

The conditions of a row's grain (`date = made.date`) are carried through the SELECT down to each stored relation that
it reads: through CTEs, set operations, grouping and joins, and from one side of a join to the other by its equalities.
What cannot be carried (a condition on a sum, on :now) is left out. So the rows found may be more than those that
counted; where a window lets further rows count they are fewer, and `Origin.windows` says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import Expr, exp

from dbt_like_sql.blocks import Block, Condition, Derived, Function, Relation, own_columns, own_nodes, take_apart
from dbt_like_sql.compile import parse_query
from dbt_like_sql.lineage import catalog
from dbt_like_sql.project import Project

MADE = "made"
"""The alias by which conditions name the row that was made; they use its grain columns only."""
SOURCE = "source"
"""The alias by which conditions name the upstream relation."""

_OUT = "#out"
_CANNOT_CARRY = (exp.AggFunc, exp.Window, exp.Query, exp.Placeholder, exp.Star)
_Key = tuple[str, str]


@dataclass(frozen=True)
class Origin:
    """One mention of a stored relation that gave values to a model's rows.

    `conditions` are PostgreSQL predicates over the aliases MADE and SOURCE, sorted; they hold for every pair of a row
    made and a row that counted for it. `tied_by` are the grain columns that they use.
    """

    relation: str
    conditions: tuple[str, ...]
    tied_by: frozenset[str]
    windows: bool


@dataclass(frozen=True)
class _Way:
    """What is carried from a block into a source of it."""

    wanted: Sequence[Expr]
    """Conditions over the source's columns, marked `#out`, that hold for the rows that count."""
    needed: frozenset[str]
    """Its columns that count."""
    around: Mapping[_Key, Expr]
    """What columns of the blocks around are known to equal."""
    hints: Mapping[Expr, Expr]
    """Expressions that gave the row made a column outside its grain. A record may have been corrected since, so they
    never filter the record itself; they only say which row an outer join added to it."""
    member: _Member | None
    windows: bool
    path: tuple[int, ...]


@dataclass(frozen=True)
class _Member:
    """A subquery that can be asked by itself whether a row is in it: for conditions on what its windows compute."""

    query: Expr
    tests: Sequence[Expr]

    def linked(self, outputs: Mapping[str, Expr], mark: str) -> str | None:
        """That the source's row is in the subquery where the conditions hold; None where they could all be carried."""
        if all(_substituted(test, outputs) is not None for test in self.tests):
            return None
        same = [
            f'"inside"."{name}" IS NOT DISTINCT FROM "{SOURCE}"."{value.name}"'
            for name, value in outputs.items()
            if isinstance(value, exp.Column) and value.table == mark
        ]
        where = " AND ".join([*same, *(_renamed(test, _OUT, "inside").sql("postgres") for test in self.tests)])
        return " ".join(["EXISTS(SELECT 1 FROM (", self.query.sql("postgres"), ') AS "inside" WHERE', where, ")"])


def origins(project: Project, relation: str) -> tuple[Origin, ...]:
    """Where the rows of a model come from, each way once, in the order in which its SQL names them.

    A relation that only decides whether a row appears, and gives it no value, is not among them.
    """
    model = project.model(relation)
    top = take_apart(parse_query(model.sql, where=str(model.path)), catalog(project))
    wanted = [exp.EQ(this=_column(_OUT, name), expression=_column(MADE, name)) for name in model.spec.grain]
    others = [column.name for column in model.spec.columns if column.name not in model.spec.grain]
    hints: dict[Expr, Expr] = {_column(_OUT, name): _column(MADE, name) for name in others}
    start = _Way(wanted, frozenset(top.columns), {}, hints, None, False, ())
    return tuple(dict.fromkeys(_descend(top, start)))


def _column(table: str, name: str) -> exp.Column:
    return exp.Column(this=exp.to_identifier(name, quoted=True), table=exp.to_identifier(table, quoted=True))


def _descend(derived: Derived, way: _Way) -> Iterator[Origin]:
    """Origins of those rows of `derived` for which all of `way.wanted` hold."""
    for block in derived.blocks:
        if id(block) in way.path:
            continue  # a recursive CTE
        outputs = dict(zip(derived.columns, (expression for _, expression in block.outputs), strict=False))
        values = [outputs[name] for name in sorted(way.needed) if name in outputs]
        tests = [test for want in way.wanted if (test := _substituted(want, outputs)) is not None]
        inside = replace(
            way,
            around={**way.around, **_constants(block, tests, way.around)},
            hints={outputs[key.name]: made for key, made in way.hints.items() if key.name in outputs},
            member=None,
            windows=way.windows or any(isinstance(node, exp.Window) for value in values for node in own_nodes(value)),
            path=(*way.path, id(block)),
        )
        for mark, columns in _used(block, values).items():
            source = block.sources[mark]
            carried = list(dict.fromkeys(_carried(block, mark, tests, inside)))
            if isinstance(source, Relation):
                link = way.member.linked(outputs, mark) if way.member else None
                yield _origin(source.name, carried, block, mark, inside.windows, link)
            elif isinstance(source, Derived):
                yield from _descend(source, _into(source, mark, columns, carried, inside))
        for node in (node for value in values for node in own_nodes(value)):
            if (inner := block.subqueries.get(id(node))) is not None:
                yield from _descend(inner, replace(inside, wanted=[], needed=frozenset(inner.columns), hints={}))


def _into(source: Derived, mark: str, columns: frozenset[str], carried: Sequence[Expr], inside: _Way) -> _Way:
    """The way into one derived source of a block."""
    passed = [_renamed(test, mark, _OUT) for test in carried if _marks(test) <= {mark, MADE}]
    hints: dict[Expr, Expr] = {
        _column(_OUT, key.name): made
        for key, made in inside.hints.items()
        if isinstance(key, exp.Column) and key.table == mark
    }
    member = _Member(source.query, passed) if source.query is not None and _stands_alone(source) else None
    needed = frozenset(source.columns) if "*" in columns else columns
    return replace(inside, wanted=passed, needed=needed, hints=hints, member=member)


def _stands_alone(derived: Derived) -> bool:
    """Whether the subquery is one SELECT that reads stored relations only, nothing around it and no parameter."""
    if len(derived.blocks) != 1 or derived.query is None or derived.query.find(exp.Placeholder, exp.With):
        return False
    block = derived.blocks[0]
    columns = [c for _, output in block.outputs for c in own_columns(output)]
    columns += [c for condition in block.conditions for c in own_columns(condition.test)]
    stored = all(isinstance(source, Relation) for source in block.sources.values())
    return stored and not block.subqueries and all(column.table in block.sources for column in columns)


def _substituted(want: Expr, outputs: Mapping[str, Expr]) -> Expr | None:
    """The condition with each output column replaced by what it is made of; None where that cannot be carried."""
    root = exp.Paren(this=want.copy())
    for column in own_columns(root):
        if column.table == _OUT:
            value = outputs.get(column.name)
            if value is None or any(isinstance(node, _CANNOT_CARRY) for node in own_nodes(value)):
                return None
            plain = isinstance(value, exp.Column | exp.Literal | exp.Func)
            column.replace(value.copy() if plain else exp.Paren(this=value.copy()))
    return root.this


def _constants(block: Block, tests: Sequence[Expr], around: Mapping[_Key, Expr]) -> dict[_Key, Expr]:
    """The columns of a block that equal a constant or a column of the row made, for every row that counts.

    Equalities of outer joins pass a constant on (a row that counts has matched) but are never its beginning.
    """
    found: dict[_Key, Expr] = {}
    for test in [*tests, *(c.test for c in block.conditions if not c.is_outer)]:
        for column, value in _equalities(test):
            if _is_constant(value, around):
                found.setdefault((column.table, column.name), _with_known(value, around))
    pairs = [(a, b) for c in block.conditions for a, b in _equalities(c.test) if isinstance(b, exp.Column)]
    changed = True
    while changed:
        changed = False
        for left, right in pairs:
            keys = (left.table, left.name), (right.table, right.name)
            values = [value for key in keys if (value := found.get(key) or around.get(key)) is not None]
            for key in keys if values else ():
                changed |= key not in found
                found.setdefault(key, values[0])
    return found


def _equalities(test: Expr) -> Iterator[tuple[exp.Column, Expr]]:
    if isinstance(test, exp.EQ | exp.NullSafeEQ):
        sides = (test.this, test.expression)
        for one, other in (sides, sides[::-1]):
            if isinstance(one, exp.Column) and one.table != MADE:
                yield one, other


def _is_constant(value: Expr, around: Mapping[_Key, Expr]) -> bool:
    if any(isinstance(node, _CANNOT_CARRY) for node in own_nodes(value)):
        return False
    return all(c.table == MADE or (c.table, c.name) in around for c in own_columns(value))


def _with_known(value: Expr, known: Mapping[_Key, Expr]) -> Expr:
    root = exp.Paren(this=value.copy())
    for column in own_columns(root):
        if (constant := known.get((column.table, column.name))) is not None:
            column.replace(constant.copy())
    return root.this


def _used(block: Block, values: Sequence[Expr]) -> dict[str, frozenset[str]]:
    """The sources of a block that the values are made of, in the order of FROM, with the columns used of each."""
    used: dict[str, set[str]] = {}
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        for column in _all_columns(value, block):
            if column.table not in block.sources:
                continue
            source = block.sources[column.table]
            if column.table not in used:
                used[column.table] = set()
                waiting += [source.call] if isinstance(source, Function) else []
                waiting += list(_expressions(source)) if isinstance(source, Derived) else []
            used[column.table].add(column.name)
    if not used and block.sources:  # count(*): made of the rows themselves
        used[next(iter(block.sources))] = set()
    return {mark: frozenset(used[mark]) for mark in block.sources if mark in used}


def _all_columns(value: Expr, block: Block) -> Iterator[exp.Column]:
    """The columns of an expression, with those that its subqueries take from the block."""
    yield from own_columns(value)
    for node in own_nodes(value):
        if (inner := block.subqueries.get(id(node))) is not None:
            for expression in _expressions(inner):
                yield from own_columns(expression)


def _expressions(derived: Derived, seen: frozenset[int] = frozenset()) -> Iterator[Expr]:
    """Every output and function of the blocks of a lateral source or subquery, which may use columns around it."""
    for block in derived.blocks:
        if id(block) in seen:
            continue
        yield from (expression for _, expression in block.outputs)
        for source in block.sources.values():
            if isinstance(source, Function):
                yield source.call
            elif isinstance(source, Derived):
                yield from _expressions(source, seen | {id(block)})


def _carried(block: Block, mark: str, tests: Sequence[Expr], way: _Way) -> Iterator[Expr]:
    """Conditions on the rows of one source: over it, functions of it, and the row made."""
    known = way.around
    functions = _functions_of(block, mark, known)
    equals = _equals(block, mark)
    for test, is_outer in [
        *((test, False) for test in tests),
        *((c.test, c.is_outer) for c in block.conditions if _filters(c, mark)),
    ]:
        if any(isinstance(node, _CANNOT_CARRY) for node in own_nodes(test)):
            continue
        root = exp.Paren(this=test.copy())
        if is_outer:
            _apply(way.hints, root, {mark, MADE, *functions})
        for node in own_columns(root):
            if node.table not in (mark, MADE, *functions):
                other = known.get((node.table, node.name)) or equals.get((node.table, node.name))
                if other is not None:
                    node.replace(other.copy())
        marks = _marks(root.this)
        if marks & {mark, *functions} and marks <= {mark, MADE, *functions}:
            yield _simplified(root.this)
    for (owner, name), constant in known.items():
        if owner == mark:
            yield exp.EQ(this=_column(mark, name), expression=constant.copy())


def _apply(hints: Mapping[Expr, Expr], root: Expr, here: set[str]) -> None:
    """Put what the row made says in place of expressions over other sources."""
    for node in list(own_nodes(root)):
        if isinstance(node, exp.Condition) and not _marks(node) <= here and (made := hints.get(node)) is not None:
            node.replace(made.copy())


def _simplified(test: Expr) -> Expr:
    """The condition with coalesce(a, a) as a, and the row made on the right of an equality."""
    root = exp.Paren(this=test.copy())
    for call in list(root.find_all(exp.Coalesce)):
        if all(other == call.this for other in call.expressions):
            call.replace(call.this.copy())
    test = root.this
    if isinstance(test, exp.EQ) and _marks(test.this) == {MADE} != _marks(test.expression):
        return exp.EQ(this=test.expression.copy(), expression=test.this.copy())
    return test


def _filters(condition: Condition, mark: str) -> bool:
    """Whether the condition narrows the rows of the source: an outer join's does so only on its nullable side."""
    return not condition.is_outer or mark in condition.nullable


def _equals(block: Block, mark: str) -> dict[_Key, exp.Column]:
    """For columns of other sources, the column of this one that a join equates with it."""
    return {
        (other.table, other.name): column
        for condition in block.conditions
        for column, other in _equalities(condition.test)
        if isinstance(other, exp.Column) and column.table == mark and other.table not in (mark, MADE)
    }


def _functions_of(block: Block, mark: str, known: Mapping[_Key, Expr]) -> list[str]:
    """Functions in FROM that read nothing but this source, one another, and what is known."""
    found: list[str] = []
    for name, source in block.sources.items():
        if isinstance(source, Function):
            reads = {c.table for c in own_columns(source.call) if (c.table, c.name) not in known}
            if reads <= {mark, *found} and reads and not any(id(n) in block.subqueries for n in own_nodes(source.call)):
                found.append(name)
    return found


def _marks(test: Expr) -> set[str]:
    return {column.table for column in own_columns(test)}


def _renamed(test: Expr, mark: str, name: str) -> Expr:
    root = exp.Paren(this=test.copy())
    for column in own_columns(root):
        if column.table == mark:
            column.replace(_column(name, column.name))
    return root.this


def _origin(relation: str, tests: Sequence[Expr], block: Block, mark: str, windows: bool, link: str | None) -> Origin:
    tests = [test for test in tests if not (isinstance(test, exp.EQ) and test.this == test.expression)]
    plain = {_renamed(test, mark, SOURCE).sql("postgres") for test in tests if _marks(test) <= {mark, MADE}}
    grouped: dict[tuple[str, ...], list[Expr]] = {}
    for test in tests:
        if functions := tuple(sorted(_marks(test) - {mark, MADE})):
            grouped.setdefault(functions, []).append(test)
    plain |= {_exists(block, mark, functions, inside) for functions, inside in grouped.items()}
    if link is not None:
        plain.add(link)
    tied = frozenset(c.name for test in tests for c in own_columns(test) if c.table == MADE)
    return Origin(relation, tuple(sorted(plain)), tied, windows)


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
    for column in own_columns(root):
        if column.table != MADE:
            column.replace(_column(SOURCE if column.table == mark else column.table.partition("#")[0], column.name))
    return root.this.sql("postgres")
