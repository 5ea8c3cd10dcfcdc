"""Requests written as text: `line,week`, `line=L01`, `last 30d`; for the command line and addresses in a browser."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, get_args

from pydantic import ValidationError

from dbt_like_sql.semantics.model import SemanticModel
from platform_core.bi.contracts import Grain, Operator, Request
from platform_core.bi.errors import RequestInvalidError

GRAINS: tuple[str, ...] = get_args(Grain)
COMPARISONS: Mapping[str, str] = {
    "previous": "previous_period",
    "previous_period": "previous_period",
    "year": "previous_year",
    "previous_year": "previous_year",
    "week": "week_before",
    "week_before": "week_before",
}
_FILTER = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(!=|<>|<=|>=|=|<|>)(.*)", re.DOTALL)
_OPERATORS: Mapping[str, Operator] = {
    "=": "eq", "!=": "ne", "<>": "ne", "<": "lt", "<=": "lte", ">": "gt", ">=": "gte",
}  # fmt: skip
_SHORT = re.compile(r"(?:last[_ ]?)?(\d{1,4}) ?(d|w|m|days?|weeks?|months?)")
_UNITS = {"d": "days", "w": "weeks", "m": "months"}


def build(fields: Mapping[str, Any]) -> Request:
    """A request of plain values; raises RequestInvalidError that names every bad field and what was expected."""
    try:
        return Request.model_validate(fields)
    except ValidationError as error:
        said = [
            f"{'.'.join(map(str, problem['loc'])) or 'the request'}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_url=False, include_input=False)
        ]
        raise RequestInvalidError(f"The request cannot be understood: {'; '.join(said)}.") from error


def split_by(names: Sequence[str]) -> tuple[tuple[str, ...], str | None]:
    """What to group by: dimensions, and at most one grain of time. `shift` beside a grain is a dimension."""
    grains = [name for name in names if name in GRAINS and name != "shift"]
    if len(grains) > 1:
        raise RequestInvalidError(f"Numbers come by one grain of time, not by {' and '.join(grains)}.")
    return tuple(name for name in names if name not in grains), grains[0] if grains else None


def filter_of(model: SemanticModel, text: str) -> dict[str, Any]:
    """`line=L01`, `line=L01,L02`, `line!=L03`, `oee<0.6`, `plant=` (unknown), as the fields of a filter."""
    found = _FILTER.fullmatch(text)
    if found is None:
        raise RequestInvalidError(
            f"{text!r} is no filter.",
            hint="A filter is NAME=VALUE, with one of = != < <= > >=; several values by comma.",
        )
    field, sign, rest = found[1], found[2], found[3].strip()
    operator = _OPERATORS[sign]
    if not rest and operator in ("eq", "ne"):
        return {"field": field, "operator": "is_null" if operator == "eq" else "not_null"}
    values: list[str | Decimal] = [part.strip() for part in rest.split(",")]
    if field in model.metrics:
        values = [_number(str(value), text) for value in values]
    if len(values) > 1 and operator in ("eq", "ne"):
        operator = "in" if operator == "eq" else "not_in"
    return {"field": field, "operator": operator, "values": values}


def _number(value: str, text: str) -> Decimal:
    try:
        return Decimal(value)
    except InvalidOperation as error:
        raise RequestInvalidError(f"{value!r} in {text!r} is no number.") from error


def relative_of(text: str) -> str:
    """`30d`, `4w`, `3m`, `last 30 days` as last_30_days and so on; any other name as it is."""
    name = text.strip().lower()
    found = _SHORT.fullmatch(name)
    return f"last_{found[1]}_{_UNITS[found[2][0]]}" if found else name.replace(" ", "_").replace("-", "_")


def comparison_of(text: str) -> str:
    """`previous`, `year`, `week` or a full name; raises RequestInvalidError."""
    if text not in COMPARISONS:
        raise RequestInvalidError(f"There is no comparison {text!r}.", hint=f"There are {', '.join(COMPARISONS)}.")
    return COMPARISONS[text]
