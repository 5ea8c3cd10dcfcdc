"""How a condition is carried from one block of a SELECT into a source of it."""

from collections.abc import Iterator, Mapping, Sequence

from sqlglot import Expr, exp

from dbt_like_sql.blocks import Block, Condition, Derived, Function, own_columns, own_nodes

MADE = "made"
"""The alias by which conditions name the row that was made."""
SOURCE = "source"
"""The alias by which conditions name the upstream relation."""
OUT = "#out"
"""The mark of a derived source's own columns, seen from outside."""

Key = tuple[str, str]
"""A source's mark and one of its columns."""

_CANNOT_CARRY = (exp.AggFunc, exp.Window, exp.Query, exp.Placeholder, exp.Star)


def column(table: str, name: str) -> exp.Column:
    """A column by its source's mark."""
    return exp.Column(this=exp.to_identifier(name, quoted=True), table=exp.to_identifier(table, quoted=True))


def can_carry(expression: Expr) -> bool:
    """Whether the expression says the same of one row wherever it is computed: no sum, no window, no :now."""
    return not any(isinstance(node, _CANNOT_CARRY) for node in own_nodes(expression))


def substituted(want: Expr, outputs: Mapping[str, Expr]) -> Expr | None:
    """The condition with each output column replaced by what it is made of; None where that cannot be carried."""
    root = exp.Paren(this=want.copy())
    for node in own_columns(root):
        if node.table == OUT:
            value = outputs.get(node.name)
            if value is None or not can_carry(value):
                return None
            plain = isinstance(value, exp.Column | exp.Literal | exp.Func)
            node.replace(value.copy() if plain else exp.Paren(this=value.copy()))
    return root.this


def constants(block: Block, tests: Sequence[Expr], around: Mapping[Key, Expr]) -> dict[Key, Expr]:
    """The columns of a block that equal a constant or a column of the row made, for every row that counts.

    Equalities of outer joins pass a constant on (a row that counts has matched) but are never its beginning.
    """
    found: dict[Key, Expr] = {}
    for test in [*tests, *(c.test for c in block.conditions if not c.is_outer)]:
        for one, value in equalities(test):
            if isinstance(test, exp.EQ) and _is_constant(value, around):
                found.setdefault((one.table, one.name), _with_known(value, around))
    pairs = [(a, b) for c in block.conditions for a, b in equalities(c.test) if isinstance(b, exp.Column)]
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


def equalities(test: Expr) -> Iterator[tuple[exp.Column, Expr]]:
    """Each column that the test equates with something, and with what."""
    if isinstance(test, exp.EQ | exp.NullSafeEQ):
        sides = (test.this, test.expression)
        for one, other in (sides, sides[::-1]):
            if isinstance(one, exp.Column) and one.table != MADE:
                yield one, other


def _is_constant(value: Expr, around: Mapping[Key, Expr]) -> bool:
    if not can_carry(value):
        return False
    return all(c.table == MADE or (c.table, c.name) in around for c in own_columns(value))


def _with_known(value: Expr, known: Mapping[Key, Expr]) -> Expr:
    root = exp.Paren(this=value.copy())
    for node in own_columns(root):
        if (constant := known.get((node.table, node.name))) is not None:
            node.replace(constant.copy())
    return root.this


def used(block: Block, values: Sequence[Expr]) -> dict[str, frozenset[str]]:
    """The sources of a block that the values are made of, in the order of FROM, with the columns used of each."""
    found: dict[str, set[str]] = {}
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        for node in _all_columns(value, block):
            if node.table not in block.sources:
                continue
            source = block.sources[node.table]
            if node.table not in found:
                found[node.table] = set()
                waiting += [source.call] if isinstance(source, Function) else []
                waiting += list(_expressions(source)) if isinstance(source, Derived) else []
            found[node.table].add(node.name)
    if not found and block.sources:  # count(*): made of the rows themselves
        found[next(iter(block.sources))] = set()
    return {mark: frozenset(found[mark]) for mark in block.sources if mark in found}


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


def carried(
    block: Block, mark: str, tests: Sequence[Expr], known: Mapping[Key, Expr], hints: Mapping[Expr, Expr]
) -> Iterator[Expr]:
    """Conditions on the rows of one source: over it, functions of it, and the row made."""
    functions = _functions_of(block, mark, known)
    equals = _equals(block, mark)
    for test, is_outer in [
        *((test, False) for test in tests),
        *((c.test, c.is_outer) for c in block.conditions if _filters(c, mark)),
    ]:
        if not can_carry(test):
            continue
        root = exp.Paren(this=test.copy())
        if is_outer:
            apply(hints, root, {mark, MADE, *functions})
        for node in own_columns(root):
            if node.table not in (mark, MADE, *functions):
                other = known.get((node.table, node.name)) or equals.get((node.table, node.name))
                if other is not None:
                    node.replace(other.copy())
        of = marks(root.this)
        if of & {mark, *functions} and of <= {mark, MADE, *functions}:
            yield _simplified(root.this)
    for (owner, name), constant in known.items():
        if owner == mark:
            yield exp.EQ(this=column(mark, name), expression=constant.copy())


def apply(hints: Mapping[Expr, Expr], root: Expr, here: set[str]) -> None:
    """Put what the row made says in place of expressions over other sources."""
    for node in list(own_nodes(root)):
        if isinstance(node, exp.Condition) and not marks(node) <= here and (made := hints.get(node)) is not None:
            node.replace(made.copy())


def _simplified(test: Expr) -> Expr:
    """The condition with coalesce(a, a) as a, and the row made on the right of an equality."""
    root = exp.Paren(this=test.copy())
    for call in list(root.find_all(exp.Coalesce)):
        if all(other == call.this for other in call.expressions):
            call.replace(call.this.copy())
    test = root.this
    if isinstance(test, exp.EQ) and marks(test.this) == {MADE} != marks(test.expression):
        return exp.EQ(this=test.expression.copy(), expression=test.this.copy())
    return test


def _filters(condition: Condition, mark: str) -> bool:
    """Whether the condition narrows the rows of the source: an outer join's does so only on its nullable side."""
    return not condition.is_outer or mark in condition.nullable


def _equals(block: Block, mark: str) -> dict[Key, exp.Column]:
    """For columns of other sources, the column of this one that a join equates with it."""
    return {
        (other.table, other.name): own
        for condition in block.conditions
        for own, other in equalities(condition.test)
        if isinstance(other, exp.Column) and own.table == mark and other.table not in (mark, MADE)
    }


def _functions_of(block: Block, mark: str, known: Mapping[Key, Expr]) -> list[str]:
    """Functions in FROM that read nothing but this source, one another, and what is known."""
    found: list[str] = []
    for name, source in block.sources.items():
        if isinstance(source, Function):
            reads = {c.table for c in own_columns(source.call) if (c.table, c.name) not in known}
            if reads <= {mark, *found} and reads and not any(id(n) in block.subqueries for n in own_nodes(source.call)):
                found.append(name)
    return found


def marks(test: Expr) -> set[str]:
    """The sources that an expression is over."""
    return {node.table for node in own_columns(test)}


def renamed(test: Expr, mark: str, name: str) -> Expr:
    """The expression with one source under another mark."""
    root = exp.Paren(this=test.copy())
    for node in own_columns(root):
        if node.table == mark:
            node.replace(column(name, node.name))
    return root.this
