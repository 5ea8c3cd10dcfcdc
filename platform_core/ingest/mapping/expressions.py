"""The small language of `expression:`: arithmetic, comparison, conditions and a few functions over a row's fields.

It is read with Python's own grammar and walked against an allow-list into closures; nothing is ever evaluated as
Python. An empty operand makes an empty result, as in SQL; a division by zero is an error of that row.
"""

import ast
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from platform_core.ingest.mapping.values import rounded, to_number, to_text

Lookup = Callable[[str], Callable[[Any], Any]]
"""From a name to the function that gets its value out of a row (here: whatever the compiler of mappings passes)."""
Step = Callable[[Any], Any]

_LENGTH_LIMIT = 1000
_DEPTH_LIMIT = 50


class ExpressionError(Exception):
    """An expression is not of the language; the message says what in it is not."""


class EvaluationError(Exception):
    """An expression has no value for this row."""


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
        return lambda row: any(_equal(left(row), member(row)) for member in members) == wanted
    if isinstance(op, ast.Is | ast.IsNot):
        wanted = isinstance(op, ast.Is)
        return lambda row: _empty(left(row)) == wanted
    right, apply = _step(other, lookup), _COMPARE[type(op)]

    def run(row: Any) -> bool | None:
        a, b = left(row), right(row)
        if _empty(a) or _empty(b):
            return None
        a, b = _alike(a, b)
        return apply(a, b)

    return run


def _alike(a: Any, b: Any) -> tuple[Any, Any]:
    """Numbers compare as numbers, also where one of them came as text; everything else as text."""
    if _is_number(a) or _is_number(b):
        try:
            return to_number(a), to_number(b)
        except ValueError:
            pass
    return to_text(a) or "", to_text(b) or ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equal(a: Any, b: Any) -> bool:
    if _empty(a) or _empty(b):
        return False
    a, b = _alike(a, b)
    return a == b


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


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


@dataclass(frozen=True)
class Function:
    """A function of the language."""

    apply: Callable[[list[Any]], Any]
    arguments: tuple[int, int]
    meaning: str


def _coalesce(values: list[Any]) -> Any:
    return next((value for value in values if not _empty(value)), None)


def _concat(values: list[Any]) -> str | None:
    return "".join(to_text(value) or "" for value in values) or None


def _numbers(apply: Callable[..., Any]) -> Callable[[list[Any]], Any]:
    def run(values: list[Any]) -> Any:
        numbers = [to_number(value) for value in values]
        return None if None in numbers else apply(*numbers)

    return run


def _some_numbers(apply: Callable[[list[Any]], Any]) -> Callable[[list[Any]], Any]:
    def run(values: list[Any]) -> Any:
        numbers = [number for value in values if (number := to_number(value)) is not None]
        return apply(numbers) if numbers else None

    return run


def _texts(apply: Callable[..., Any]) -> Callable[[list[Any]], Any]:
    def run(values: list[Any]) -> Any:
        texts = [to_text(value) for value in values]
        return None if texts[0] is None else apply(*(text or "" for text in texts))

    return run


def _left(values: list[Any]) -> str | None:
    text, count = to_text(values[0]), to_number(values[1])
    return None if text is None or count is None else text[: max(0, int(count))]


def _right(values: list[Any]) -> str | None:
    text, count = to_text(values[0]), to_number(values[1])
    return None if text is None or not count else text[-max(0, int(count)) :]


def _part(values: list[Any]) -> str | None:
    text, number = to_text(values[0]), to_number(values[2])
    if text is None or number is None:
        return None
    parts = text.split(to_text(values[1]) or " ")
    return parts[int(number) - 1].strip() if 1 <= number <= len(parts) else None


def _round(values: list[Any]) -> Any:
    number, digits = to_number(values[0]), to_number(values[1]) if len(values) > 1 else 0
    return None if number is None or digits is None else round(number, int(digits))


def _nullif(values: list[Any]) -> Any:
    return None if _equal(values[0], values[1]) else values[0]


def _sum_of(values: list[Any]) -> Any:
    numbers = [number for value in _column(values) if (number := to_number(value)) is not None]
    return sum(numbers) if numbers else None


def _first_of(values: list[Any]) -> Any:
    return min((value for value in _column(values) if not _empty(value)), default=None)


def _last_of(values: list[Any]) -> Any:
    return max((value for value in _column(values) if not _empty(value)), default=None)


def _column(values: list[Any]) -> Sequence[Any]:
    rows, name = values
    if not isinstance(rows, list):
        return ()
    return [row.get(name) for row in rows if isinstance(row, dict)]  # pyright: ignore[reportUnknownVariableType]


def _minutes_between(values: list[Any]) -> float | None:
    start, end = (_moment(value) for value in values)
    return None if start is None or end is None else (end - start).total_seconds() / 60


def _moment(value: Any) -> datetime | None:
    if _empty(value):
        return None
    try:
        return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError as error:
        raise EvaluationError("needs two times that the mapping has read") from error


_MANY = 20
FUNCTIONS: dict[str, Function] = {
    "coalesce": Function(_coalesce, (1, _MANY), "the first value that is not empty"),
    "concat": Function(_concat, (1, _MANY), "the texts one after another, empty ones left out"),
    "nullif": Function(_nullif, (2, 2), "the first value, or empty when it equals the second"),
    "number": Function(lambda values: to_number(values[0]), (1, 1), "the value as a number"),
    "text": Function(lambda values: to_text(values[0]), (1, 1), "the value as text"),
    "abs": Function(_numbers(abs), (1, 1), "without its sign"),
    "round": Function(_round, (1, 2), "rounded to so many digits (half to even)"),
    "least": Function(_some_numbers(min), (1, _MANY), "the smallest number, empty ones left out"),
    "greatest": Function(_some_numbers(max), (1, _MANY), "the greatest number, empty ones left out"),
    "total": Function(_some_numbers(sum), (1, _MANY), "the sum, empty ones left out"),
    "lower": Function(_texts(str.lower), (1, 1), "in small letters"),
    "upper": Function(_texts(str.upper), (1, 1), "in capital letters"),
    "replace": Function(_texts(str.replace), (3, 3), "with each second text replaced by the third"),
    "strip_zeros": Function(_texts(lambda text: text.lstrip("0") or "0"), (1, 1), "without leading zeros"),
    "left": Function(_left, (2, 2), "the first so many characters"),
    "right": Function(_right, (2, 2), "the last so many characters"),
    "part": Function(_part, (3, 3), "part(text, '-', 2): the second of the parts between the separators"),
    "starts_with": Function(_texts(str.startswith), (2, 2), "whether the text starts with the other"),
    "contains": Function(_texts(lambda text, part: part in text), (2, 2), "whether the text contains the other"),
    "minutes_between": Function(_minutes_between, (2, 2), "minutes from the first payload time to the second"),
    "sum_of": Function(_sum_of, (2, 2), "sum_of(rows, 'qty'): sum of a field over the child rows of a JSON record"),
    "first_of": Function(_first_of, (2, 2), "the smallest value of a field over the child rows"),
    "last_of": Function(_last_of, (2, 2), "the greatest value of a field over the child rows"),
}

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
