"""Whether values add up: told by the units and names of the columns that they are made of."""

import re
from collections.abc import Mapping
from enum import Enum, auto

from dbt_like_sql.contracts import Column
from dbt_like_sql.semantics.expressions import Expression, Literally, Reference

AMOUNT_UNITS = frozenset({"piece", "minute", "work order", "event", "order", "currency"})
"""Units of things that are counted or measured, so that two of them together are their sum."""

SNAPSHOT_UNITS = ("piece/day",)
"""Units of rates that add up over products and places at one moment, and not over days."""

_STATISTIC = re.compile(r"(^|_)(avg|mean|median|max|min|std)(_|$)")


class Additivity(Enum):
    """What may be done with values: add them, add them within a day, multiply with them, or nothing."""

    AMOUNT = auto()
    PER_DAY = auto()
    FACTOR = auto()


def additivity(expression: Expression, columns: Mapping[str, Column]) -> Additivity:
    """Of an expression over columns: an amount times a factor, or divided by one, stays an amount."""
    if isinstance(expression, Literally):
        return Additivity.FACTOR
    if isinstance(expression, Reference):
        return _of_column(columns[expression.name])
    found = [additivity(operand, columns) for operand in expression.operands]
    match expression.operator:
        case "*":
            amounts = [each for each in found if each is not Additivity.FACTOR]
            return amounts[0] if len(amounts) == 1 else Additivity.FACTOR
        case "/":
            return found[0] if found[1] is Additivity.FACTOR else Additivity.FACTOR
        case "coalesce":
            return found[0]
        case _:
            return found[0] if len(set(found)) == 1 else Additivity.FACTOR


def _of_column(column: Column) -> Additivity:
    if column.unit in SNAPSHOT_UNITS:
        return Additivity.PER_DAY
    if column.unit in AMOUNT_UNITS and not _STATISTIC.search(column.name):
        return Additivity.AMOUNT
    return Additivity.FACTOR
