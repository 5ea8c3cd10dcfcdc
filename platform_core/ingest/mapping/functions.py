"""The functions of the expression language, each over a list of values; an empty value is None or blank text."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from platform_core.ingest.mapping.times import moment_parser, to_clock_text
from platform_core.ingest.mapping.values import to_number, to_text


class EvaluationError(Exception):
    """An expression has no value for this row."""


def alike(a: Any, b: Any) -> tuple[Any, Any]:
    """Numbers compare as numbers, also where one of them came as text; everything else as text."""
    if _is_number(a) or _is_number(b):
        try:
            return to_number(a), to_number(b)
        except ValueError:
            pass
    return to_text(a) or "", to_text(b) or ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(a: Any, b: Any) -> bool:
    """Whether two values are equal; an empty one equals nothing."""
    if is_empty(a) or is_empty(b):
        return False
    a, b = alike(a, b)
    return a == b


def is_empty(value: Any) -> bool:
    """Whether a value is None or blank text."""
    return value is None or (isinstance(value, str) and not value.strip())


@dataclass(frozen=True)
class Function:
    """A function of the language."""

    apply: Callable[[list[Any]], Any]
    arguments: tuple[int, int]
    meaning: str


def _coalesce(values: list[Any]) -> Any:
    return next((value for value in values if not is_empty(value)), None)


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


def _strip_zeros(text: str) -> str:
    return text.lstrip("0") or "0"


def _date_text(values: list[Any]) -> str | None:
    """The date of a cell or text, for a key or to be put together with a time."""
    moment = None if is_empty(values[0]) else moment_parser(None)(values[0])
    return None if moment is None else moment.date().isoformat()


def _clock_text(values: list[Any]) -> str | None:
    return None if is_empty(values[0]) else to_clock_text(values[0])


def _nullif(values: list[Any]) -> Any:
    return None if equal(values[0], values[1]) else values[0]


def _sum_of(values: list[Any]) -> Any:
    numbers = [number for value in _column(values) if (number := to_number(value)) is not None]
    return sum(numbers) if numbers else None


def _first_of(values: list[Any]) -> Any:
    return min((value for value in _column(values) if not is_empty(value)), default=None)


def _last_of(values: list[Any]) -> Any:
    return max((value for value in _column(values) if not is_empty(value)), default=None)


def _column(values: list[Any]) -> Sequence[Any]:
    rows, name = values
    if not isinstance(rows, list):
        return ()
    return [cast("dict[str, Any]", row).get(name) for row in cast("list[Any]", rows) if isinstance(row, dict)]


def _minutes_between(values: list[Any]) -> float | None:
    start, end = (_moment(value) for value in values)
    return None if start is None or end is None else (end - start).total_seconds() / 60


def _plus_minutes(values: list[Any]) -> str | None:
    start, minutes = _moment(values[0]), to_number(values[1])
    return None if start is None or minutes is None else (start + timedelta(minutes=minutes)).isoformat()


def _moment(value: Any) -> datetime | None:
    if is_empty(value):
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
    "strip_zeros": Function(_texts(_strip_zeros), (1, 1), "without leading zeros"),
    "left": Function(_left, (2, 2), "the first so many characters"),
    "right": Function(_right, (2, 2), "the last so many characters"),
    "part": Function(_part, (3, 3), "part(text, '-', 2): the second of the parts between the separators"),
    "starts_with": Function(_texts(str.startswith), (2, 2), "whether the text starts with the other"),
    "contains": Function(_texts(operator.contains), (2, 2), "whether the text contains the other"),
    "date": Function(_date_text, (1, 1), "the date in a cell or text, as 2024-03-05"),
    "clock": Function(_clock_text, (1, 1), "the time of day in a cell or text, as 08:30:00"),
    "minutes_between": Function(_minutes_between, (2, 2), "minutes from the first payload time to the second"),
    "plus_minutes": Function(_plus_minutes, (2, 2), "a payload time so many minutes later"),
    "sum_of": Function(_sum_of, (2, 2), "sum_of(rows, 'qty'): sum of a field over the child rows of a JSON record"),
    "first_of": Function(_first_of, (2, 2), "the smallest value of a field over the child rows"),
    "last_of": Function(_last_of, (2, 2), "the greatest value of a field over the child rows"),
}
