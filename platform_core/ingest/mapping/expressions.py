"""The small language of `expression:`: arithmetic, comparison, conditions and a few functions over a row's fields.

It is read with Python's own grammar and walked against an allow-list into closures; nothing is ever evaluated as
Python. An empty operand makes an empty result, as in SQL; a division by zero is an error of that row.
"""

import ast
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from platform_core.ingest.mapping.functions import FUNCTIONS, EvaluationError, alike, equal, is_empty
from platform_core.ingest.mapping.values import rounded, to_number

Lookup = Callable[[str], Callable[[Any], Any]]
"""From a name to the function that gets its value out of a row (here: whatever the compiler of mappings passes)."""
Step = Callable[[Any], Any]

_LENGTH_LIMIT = 1000
_DEPTH_LIMIT = 50


class ExpressionError(Exception):
    """An expression is not of the language; the message says what in it is not."""


@dataclass(frozen=True)
class Parsed:
    """An expression that is of the language, and the names it reads."""

    text: str
    body: ast.expr
    names: tuple[str, ...]


def parse_expression(text: str) -> Parsed:
    """Check an expression; raises ExpressionError."""
    if len(text) > _LENGTH_LIMIT:
        raise ExpressionError(f"is longer than {_LENGTH_LIMIT} characters")
    try:
        body = ast.parse(text.strip(), mode="eval").body
        _check(body, 0)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ExpressionError(f"cannot be read: {error}") from error
    return Parsed(text, body, tuple(dict.fromkeys(_names(body))))


def _check(node: ast.AST, depth: int) -> None:
    if depth > _DEPTH_LIMIT:
        raise ExpressionError("is nested too deeply")
    if isinstance(node, ast.Call):
        _check_call(node)
    elif not isinstance(node, _ALLOWED):
        raise ExpressionError(f"may not use {type(node).__name__}")
    if isinstance(node, ast.Constant) and not isinstance(node.value, str | int | float | bool | None):
        raise ExpressionError(f"may not hold {node.value!r}")
    for child in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.Call) and child is node.func):
            _check(child, depth + 1)


def _check_call(node: ast.Call) -> None:
    if not isinstance(node.func, ast.Name) or node.keywords:
        raise ExpressionError("may only call functions by name, without keywords")
    name = node.func.id
    if name == "field":
        if len(node.args) != 1 or not isinstance(node.args[0], ast.Constant) or not isinstance(node.args[0].value, str):
            raise ExpressionError("field() takes one name in quotes")
        return
    if name not in FUNCTIONS:
        raise ExpressionError(f"knows no function {name}; there are field, {', '.join(FUNCTIONS)}")
    low, high = FUNCTIONS[name].arguments
    if not low <= len(node.args) <= high:
        raise ExpressionError(f"{name}() takes {low if low == high else f'{low} to {high}'} arguments")


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id == "field" and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value)
        else:
            for argument in node.args:
                yield from _names(argument)
    elif isinstance(node, ast.Name):
        yield node.id
    else:
        for child in ast.iter_child_nodes(node):
            yield from _names(child)


def compile_expression(parsed: Parsed, lookup: Lookup) -> Step:
    """The expression as a function of one row; it raises EvaluationError or ValueError."""
    step = _step(parsed.body, lookup)

    def run(row: Any) -> Any:
        value = step(row)
        return rounded(value) if type(value) is float else value

    return run


def _step(node: ast.expr, lookup: Lookup) -> Step:
    build = _BUILDERS[type(node)]
    return build(node, lookup)


def _constant(node: ast.Constant, lookup: Lookup) -> Step:
    del lookup
    value = node.value
    return lambda row: value


def _name(node: ast.Name, lookup: Lookup) -> Step:
    return lookup(node.id)


def _divide(left: float, right: float) -> float:
    if right == 0:
        raise EvaluationError("divides by zero")
    return left / right


def _modulo(left: float, right: float) -> float:
    if right == 0:
        raise EvaluationError("divides by zero")
    return left % right


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _divide,
    ast.Mod: _modulo,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def _binary(node: ast.BinOp, lookup: Lookup) -> Step:
    left, right, apply = _step(node.left, lookup), _step(node.right, lookup), _BINARY[type(node.op)]

    def run(row: Any) -> Any:
        a, b = to_number(left(row)), to_number(right(row))
        if a is None or b is None:
            return None
        try:
            return apply(a, b)
        except OverflowError as error:
            raise EvaluationError("is too large") from error

    return run


def _unary(node: ast.UnaryOp, lookup: Lookup) -> Step:
    step = _step(node.operand, lookup)
    if isinstance(node.op, ast.Not):
        return lambda row: None if (value := step(row)) is None else not value
    sign = -1 if isinstance(node.op, ast.USub) else 1
    return lambda row: None if (value := to_number(step(row))) is None else sign * value


def _logic(node: ast.BoolOp, lookup: Lookup) -> Step:
    steps = [_step(value, lookup) for value in node.values]
    if isinstance(node.op, ast.And):
        return lambda row: all(step(row) for step in steps)
    return lambda row: any(step(row) for step in steps)


def _comparison(node: ast.Compare, lookup: Lookup) -> Step:
    if len(node.ops) != 1:
        raise ExpressionError("may compare only two values at a time")
    left, op, other = _step(node.left, lookup), node.ops[0], node.comparators[0]
    if isinstance(op, ast.In | ast.NotIn):
        if not isinstance(other, ast.Tuple | ast.List):
            raise ExpressionError("`in` needs a list of values in parentheses")
        members = [_step(item, lookup) for item in other.elts]
        wanted = isinstance(op, ast.In)
        return lambda row: any(equal(left(row), member(row)) for member in members) == wanted
    if isinstance(op, ast.Is | ast.IsNot):
        wanted = isinstance(op, ast.Is)
        return lambda row: is_empty(left(row)) == wanted
    right, apply = _step(other, lookup), _COMPARE[type(op)]

    def run(row: Any) -> bool | None:
        a, b = left(row), right(row)
        if is_empty(a) or is_empty(b):
            return None
        a, b = alike(a, b)
        return apply(a, b)

    return run


def _choice(node: ast.IfExp, lookup: Lookup) -> Step:
    test, yes, no = (_step(part, lookup) for part in (node.test, node.body, node.orelse))
    return lambda row: yes(row) if test(row) else no(row)


def _call(node: ast.Call, lookup: Lookup) -> Step:
    if not isinstance(node.func, ast.Name):
        raise ExpressionError("may only call functions by name")
    if node.func.id == "field":
        name = node.args[0]
        return lookup(str(name.value if isinstance(name, ast.Constant) else ""))
    apply = FUNCTIONS[node.func.id].apply
    steps = [_step(argument, lookup) for argument in node.args]
    return lambda row: apply([step(row) for step in steps])


_BUILDERS: dict[type[ast.expr], Callable[[Any, Lookup], Step]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _logic,
    ast.Compare: _comparison,
    ast.IfExp: _choice,
    ast.Call: _call,
}
_ALLOWED = (
    *(kind for kind in _BUILDERS if kind is not ast.Call),
    *_BINARY,
    *_COMPARE,
    ast.And,
    ast.Or,
    ast.Not,
    ast.UAdd,
    ast.USub,
    ast.In,
    ast.NotIn,
    ast.Is,
    ast.IsNot,
    ast.Tuple,
    ast.List,
    ast.Load,
)
