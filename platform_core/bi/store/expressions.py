"""Expressions and filters written as SQL: names come from the semantic model, values are bound."""

from collections.abc import Callable
from typing import Any, LiteralString

from psycopg import sql

from dbt_like_sql.semantics.expressions import Expression, Literally, Reference
from platform_core.bi.contracts import Filter

Column = Callable[[str], sql.Composable]

_BINARY: dict[str, LiteralString] = {
    "+": "({} + {})",
    "-": "({} - {})",
    "*": "({} * {})",
    "/": "({}::numeric / nullif({}, 0))",
    "=": "({} = {})",
    "<>": "({} <> {})",
    "<": "({} < {})",
    "<=": "({} <= {})",
    ">": "({} > {})",
    ">=": "({} >= {})",
    "and": "({} and {})",
    "or": "({} or {})",
}
_UNARY: dict[str, LiteralString] = {"neg": "(- {})", "not": "(not {})", "is_null": "({} is null)"}
_COMPARED: dict[str, LiteralString] = {
    "eq": "{column} = {value}",
    "ne": "{column} is distinct from {value}",
    "lt": "{column} < {value}",
    "lte": "{column} <= {value}",
    "gt": "{column} > {value}",
    "gte": "{column} >= {value}",
}


class Binder:
    """Values of a statement, each behind a placeholder."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def bind(self, value: object) -> sql.Placeholder:
        """A placeholder that stands for the value."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return sql.Placeholder(name)


def written(expression: Expression, column: Column, binder: Binder) -> sql.Composable:
    """An expression as SQL. A division by zero is null, and least and greatest of something unknown are unknown."""
    if isinstance(expression, Reference):
        return column(expression.name)
    if isinstance(expression, Literally):
        kind = sql.SQL("text" if isinstance(expression.value, str) else "numeric")
        return sql.SQL("{}::{}").format(binder.bind(expression.value), kind)
    parts = [written(operand, column, binder) for operand in expression.operands]
    operator = expression.operator
    if operator in _BINARY:
        return sql.SQL(_BINARY[operator]).format(*parts)
    if operator in _UNARY:
        return sql.SQL(_UNARY[operator]).format(*parts)
    listed = sql.SQL(", ").join(parts)
    if operator == "coalesce":
        return sql.SQL("coalesce({})").format(listed)
    unknown = sql.SQL(" or ").join(sql.SQL("{} is null").format(part) for part in parts)
    name = sql.SQL("least" if operator == "least" else "greatest")
    return sql.SQL("(case when {} then null else {}({}) end)").format(unknown, name, listed)


def condition(column: sql.Composable, asked: Filter, binder: Binder, *, is_text: bool) -> sql.Composable:
    """A filter as SQL. What is not equal includes what is unknown; texts are ordered by code point everywhere."""
    operator = asked.operator
    if operator in ("is_null", "not_null"):
        return sql.SQL("{} is null" if operator == "is_null" else "{} is not null").format(column)
    values = [str(value) if is_text else value for value in asked.values]
    ordered = sql.SQL('{} collate "C"').format(column) if is_text else column
    if operator in ("in", "not_in"):
        listed = sql.SQL("{}::{}").format(binder.bind(values), sql.SQL("text[]" if is_text else "numeric[]"))
        template: LiteralString = "{} = any({})" if operator == "in" else "coalesce({} <> all({}), true)"
        return sql.SQL(template).format(column, listed)
    kind = sql.SQL("text" if is_text else "numeric")
    bound = [sql.SQL("{}::{}").format(binder.bind(value), kind) for value in values]
    if operator == "between":
        return sql.SQL("{} between {} and {}").format(ordered, bound[0], bound[1])
    subject = column if operator in ("eq", "ne") else ordered
    return sql.SQL(_COMPARED[operator]).format(column=subject, value=bound[0])
