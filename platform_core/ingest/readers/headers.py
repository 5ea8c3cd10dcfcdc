"""Which row is the header, what its columns are called, and which rows are not records."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from platform_core.ingest.readers.options import LeaveOut

HEADER_SEARCH_ROWS = 30
_NUMBER = re.compile(r"^[\s\d.,:%+\-/()₩$년월일시분초]+$")
_SPACE = re.compile(r"\s+")
_NOT_A_LABEL = (int, float, date, datetime, time, timedelta)


def normal_name(value: Any) -> str:
    """A header cell as a name: composed Korean (a Mac decomposes it), full-width letters narrow, single spaces."""
    text = str(value) if value is not None else ""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return _SPACE.sub(" ", text.replace("\ufeff", "")).strip()


def folded(name: str) -> str:
    """A name as it is compared: without letter case and spaces."""
    return _SPACE.sub("", normal_name(name)).casefold()


def column_names(cells: Sequence[Any], expected: Sequence[str] = ()) -> list[str]:
    """Unique names of the columns; the spelling of `expected` wins, an unnamed column is called by its letter."""
    spelling = {folded(name): name for name in expected}
    last_word = _by_last_part(cells, spelling)
    seen: Counter[str] = Counter()
    names: list[str] = []
    for index, cell in enumerate(cells):
        name = normal_name(cell) or f"column {column_letter(index)}"
        name = spelling.get(folded(name)) or last_word.get(name) or name
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names


def _by_last_part(cells: Sequence[Any], spelling: Mapping[str, str]) -> dict[str, str]:
    """Joined headers (`불량유형 치수불량`) that the mapping knows by their last part only."""
    found: dict[str, str] = {}
    whole = {folded(normal_name(cell)) for cell in cells}
    for name in {normal_name(cell) for cell in cells}:
        last = folded(name.rsplit(" ", 1)[-1])
        if " " in name and folded(name) not in spelling and last in spelling and last not in whole:
            found[name] = spelling[last]
    return found


def column_letter(index: int) -> str:
    """The letter that a spreadsheet gives to a 0-based column: 0 is A, 26 is AA."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def find_header(rows: Sequence[Sequence[Any]], expected: Sequence[str] = ()) -> int:
    """The 0-based index of the header among the first rows of a table.

    With the mapping's names: the row that holds the most of them. Otherwise the first row that is about as wide as
    the table and consists of distinct labels; a title is narrower, a data row holds numbers.
    """
    head = [list(row) for row in rows[:HEADER_SEARCH_ROWS]]
    wanted = {folded(name) for name in expected}
    if wanted:
        hits = [len(wanted & {folded(str(cell)) for cell in row if cell not in (None, "")}) for row in head]
        if hits and max(hits) >= min(2, len(wanted)):
            return hits.index(max(hits))
    widths = Counter(width for row in rows if (width := _filled(row)))
    usual = max(widths, key=lambda w: (widths[w], w), default=1)
    for share in (0.8, 0.5):
        for index, row in enumerate(head):
            if _filled(row) >= max(1, usual * share) and _is_labels(row):
                return index
    return next((index for index, row in enumerate(head) if _filled(row)), 0)


def _filled(row: Iterable[Any]) -> int:
    return sum(1 for cell in row if cell is not None and str(cell).strip())


def _is_labels(row: Iterable[Any]) -> bool:
    cells = [cell for cell in row if cell is not None and str(cell).strip()]
    if any(isinstance(cell, _NOT_A_LABEL) or _NUMBER.match(str(cell)) for cell in cells):
        return False
    return len({folded(str(cell)) for cell in cells}) >= len(cells) * 0.7


def leave_out_test(conditions: Sequence[LeaveOut]) -> Callable[[Mapping[str, Any]], bool] | None:
    """One function that says whether a row is not a record; None when every row is."""
    if not conditions:
        return None
    tests = [_condition(condition) for condition in conditions]
    return lambda fields: any(test(fields) for test in tests)


def _condition(condition: LeaveOut) -> Callable[[Mapping[str, Any]], bool]:
    name = condition.field

    def text(fields: Mapping[str, Any]) -> str:
        value = fields.get(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return "" if value is None else str(value).strip()

    if condition.values is not None:
        left_out = frozenset(condition.values)
        return lambda fields: text(fields) in left_out
    if condition.not_values is not None:
        kept = frozenset(condition.not_values)
        return lambda fields: text(fields) not in kept
    if condition.contains is not None:
        parts = condition.contains
        return lambda fields: any(part in text(fields) for part in parts)
    return lambda fields: (text(fields) == "") == condition.empty
