"""The small language of measures and metrics: arithmetic, comparisons, logic, coalesce, least and greatest.

It is parsed into a tree of its own, so that nothing else of SQL can ever reach a statement: whoever writes the tree
as SQL binds its literals and looks its names up.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from typing import Literal

from sqlglot import Expr as Node
from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import ParseError, TokenError

from dbt_like_sql.semantics.errors import ExpressionError

MAX_LENGTH = 300
_MAX_DEPTH = 20
Kind = Literal["number", "text", "boolean", "date", "time", "other"]


@dataclass(frozen=True)
class Reference:
    """A column, or in a metric a measure or metric."""

    name: str


@dataclass(frozen=True)
class Literally:
    """A constant."""

    value: Decimal | str


@dataclass(frozen=True)
class Operation:
    """`+ - * / = <> < <= > >= and or not neg is_null` or a function, over its operands."""

    operator: str
    operands: tuple["Expression", ...]


Expression = Reference | Literally | Operation

ARITHMETIC = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}
COMPARISONS = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
_LOGIC = {exp.And: "and", exp.Or: "or"}
FUNCTIONS: dict[type[Node], str] = {exp.Coalesce: "coalesce", exp.Least: "least", exp.Greatest: "greatest"}
_BINARY: dict[type[Node], str] = {**ARITHMETIC, **COMPARISONS, **_LOGIC}
_UNDERSTOOD = frozenset({"this", "expression", "expressions", "quoted", "is_string", "typed", "ignore_nulls"})
_ARITHMETIC_SIGNS = frozenset(ARITHMETIC.values())
_COMPARISON_SIGNS = frozenset(COMPARISONS.values())


@cache
def parse(text: str) -> Expression:
    """The expression's tree; raises ExpressionError with what is not allowed."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the expression is longer than {MAX_LENGTH} characters.")
    if text.count("(") > _MAX_DEPTH:
        raise ExpressionError(f"the expression has more than {_MAX_DEPTH} parentheses.")
    try:
        found = [node for node in Postgres().parse(f"SELECT {text}") if node is not None]
    except (ParseError, TokenError, RecursionError) as error:
        first = str(error).splitlines()[0]
        raise ExpressionError(f"{text!r} is not readable: {first}") from error
    select = found[0] if len(found) == 1 else None
    if not isinstance(select, exp.Select) or len(select.expressions) != 1 or _clauses(select):
        raise ExpressionError(f"{text!r} is more than one expression.")
    return _tree(select.expressions[0], text)


def _clauses(select: exp.Select) -> list[str]:
    """What the SELECT has beyond its list."""
    return [key for key, value in select.args.items() if value and key not in ("expressions", "kind")]


def _tree(node: Node, text: str, depth: int = 0) -> Expression:
    if depth > 2 * _MAX_DEPTH:
        raise ExpressionError(f"{text!r} is nested too deeply.")

    def below(*nodes: Node) -> tuple[Expression, ...]:
        return tuple(_tree(each, text, depth + 1) for each in nodes)

    if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
        inner = Operation("is_null", below(node.this))
        return Operation("not", (inner,)) if node.args.get("negate") else inner
    if any(value for key, value in node.args.items() if key not in _UNDERSTOOD):
        raise _not_allowed(node, text)  # the parser keeps what it saw in many places; what is not known here counts
    if isinstance(node, exp.Paren):
        return _tree(node.this, text, depth + 1)
    if (operator := _BINARY.get(type(node))) is not None:
        return Operation(operator, below(node.this, node.expression))
    if isinstance(node, exp.Neg | exp.Not):
        return Operation("neg" if isinstance(node, exp.Neg) else "not", below(node.this))
    if (function := FUNCTIONS.get(type(node))) is not None:
        return Operation(function, below(node.this, *node.expressions))
    leaf = _leaf(node)
    if leaf is None:
        raise _not_allowed(node, text)
    return leaf


def _not_allowed(node: Node, text: str) -> ExpressionError:
    return ExpressionError(
        f"{node.sql('postgres')!r} is not allowed in {text!r}.",
        hint="Allowed: names, numbers, texts, + - * /, comparisons, and, or, not, is null, coalesce, least, greatest.",
    )


def _leaf(node: Node) -> Expression | None:
    if isinstance(node, exp.Column) and isinstance(node.this, exp.Identifier) and len(node.parts) == 1:
        return Reference(node.name if node.this.args.get("quoted") else node.name.lower())
    if isinstance(node, exp.Literal):
        return Literally(str(node.this)) if node.is_string else Literally(Decimal(str(node.this)))
    return None


def references(expression: Expression) -> frozenset[str]:
    """The names in it."""
    if isinstance(expression, Reference):
        return frozenset({expression.name})
    if isinstance(expression, Literally):
        return frozenset()
    return frozenset[str]().union(*(references(operand) for operand in expression.operands))


def kind_of(expression: Expression, kinds: Mapping[str, Kind]) -> Kind:
    """What its value is; raises ExpressionError for an unknown name (with the nearest) and operands that do not fit."""
    if isinstance(expression, Reference):
        if expression.name in kinds:
            return kinds[expression.name]
        raise ExpressionError(f"{expression.name!r} is unknown{nearest(expression.name, kinds)}")
    if isinstance(expression, Literally):
        return "text" if isinstance(expression.value, str) else "number"
    found: list[Kind] = [kind_of(operand, kinds) for operand in expression.operands]
    operator = expression.operator
    if operator in _ARITHMETIC_SIGNS or operator == "neg":
        return _all(found, "number", operator)
    if operator in _COMPARISON_SIGNS:
        if len(set(found)) > 1 or found[0] == "other":
            raise ExpressionError(f"{operator} compares {' with '.join(found)}.")
        return "boolean"
    if operator == "is_null":
        return "boolean"
    if operator in ("and", "or", "not"):
        return _all(found, "boolean", operator)
    if len(set(found)) > 1:
        raise ExpressionError(f"{operator} mixes {' and '.join(sorted(set(found)))}.")
    return found[0]


def _all(found: list[Kind], wanted: Kind, operator: str) -> Kind:
    if wrong := next((kind for kind in found if kind != wanted), None):
        raise ExpressionError(f"{operator} needs a {wanted} and is given a {wrong}.")
    return wanted


def replaced(expression: Expression, by: Callable[[str], Expression]) -> Expression:
    """The expression with each reference replaced."""
    if isinstance(expression, Reference):
        return by(expression.name)
    if isinstance(expression, Literally):
        return expression
    return Operation(expression.operator, tuple(replaced(operand, by) for operand in expression.operands))


def kind_of_type(type_name: str) -> Kind:
    """What a PostgreSQL type is to the language."""
    if type_name in ("numeric", "integer", "bigint", "smallint", "double precision", "real"):
        return "number"
    known: dict[str, Kind] = {"text": "text", "boolean": "boolean", "date": "date", "timestamptz": "time"}
    return known.get(type_name, "other")


def nearest(name: str, known: Mapping[str, object]) -> str:
    """`; did you mean 'x'?`, or the known names, to end a message with."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(sorted(known))}."
