"""CSV and its relatives, streamed: each line that is not blank belongs to exactly one row or one rejection."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import chain, islice
from typing import Any, TextIO

from platform_core.ingest.contracts import Rejection, SourceRow
from platform_core.ingest.readers.headers import (
    HEADER_SEARCH_ROWS,
    column_names,
    find_header,
    folded,
    leave_out_test,
    normal_name,
)
from platform_core.ingest.readers.options import FileOptions
from platform_core.ingest.readers.text import ByteSource, open_text, storable, unreadable

_DELIMITERS = (",", "\t", ";", "|")
_SAMPLE_LINES = 60
_LINE_LIMIT = 4 << 20
"""Characters after which a line without an end counts as a line of its own; a binary file has no lines."""


class _TooManyLinesError(Exception):
    """A quoted record runs over more lines than a record may have."""


class _Feed:
    """Lines for csv.reader that remembers which of them the current record took, and can take lines back."""

    def __init__(self, lines: Iterator[str], limit: int) -> None:
        self.taken: list[str] = []
        self._lines = lines
        self._limit = limit

    def __iter__(self) -> Iterator[str]:
        taken, limit = self.taken, self._limit
        for line in self._lines:
            taken.append(line)
            if len(taken) > limit:
                raise _TooManyLinesError
            yield line

    def again(self, lines: list[str]) -> None:
        """Put lines back in front of those not yet read."""
        self._lines = chain(lines, self._lines)
        self.taken.clear()


class DelimitedReader:
    """Rows of one CSV or TSV file, or of anything with a separator between its cells."""

    def __init__(self, source: ByteSource, options: FileOptions) -> None:
        self._source = source
        self._options = options
        self.left_out = 0
        """Rows that the options leave out, counted while reading."""

    @property
    def name(self) -> str:
        return self._source.name

    def digest(self) -> str:
        """What tells this file, read in this way, from any other."""
        return self._source.digest(self._options.model_dump_json(exclude={"expected"}))

    def rows(self) -> Iterator[SourceRow | Rejection]:
        """The rows from the line after the header on."""
        self.left_out = 0
        with closing(open_text(self._source, self._options.encoding)) as stream:
            yield from self._read(stream)

    def headers(self) -> list[str]:
        """The names of the columns."""
        with closing(open_text(self._source, self._options.encoding)) as stream:
            lines = _bounded_lines(stream)
            dialect, names, _ = self._layout(list(islice(lines, _SAMPLE_LINES)))
            del dialect
            return names

    def _read(self, stream: TextIO) -> Iterator[SourceRow | Rejection]:
        options = self._options
        lines = _bounded_lines(stream)
        sample = list(islice(lines, _SAMPLE_LINES))
        dialect, names, first = self._layout(sample)
        left_out = leave_out_test(options.leave_out)
        fill = _FillDown(options.fill_down) if options.fill_down else None
        pad = options.ragged == "pad"
        for number, text, values in _records(chain(sample[first:], lines), first + 1, dialect, options):
            if isinstance(values, str):
                yield unreadable(number, text, values)
                continue
            if len(values) != len(names):
                values, problem = _fit(values, len(names), pad)
                if problem:
                    yield unreadable(number, text, problem)
                    continue
            fields = dict(zip(names, values, strict=False))
            if fill:
                fill(fields)
            if left_out and left_out(fields):
                self.left_out += 1
            else:
                yield SourceRow(number, fields, text)

    def _layout(self, sample: list[str]) -> tuple[dict[str, Any], list[str], int]:
        """How to split lines, the columns' names, and the 0-based line where the rows begin."""
        options = self._options
        delimiter = options.delimiter or sniff_delimiter(sample, options.expected)
        spaced = f"{delimiter} {options.quote}" in "".join(sample)
        dialect: dict[str, Any] = {
            "delimiter": delimiter,
            "quotechar": options.quote,
            "skipinitialspace": spaced and delimiter != " ",
            "strict": True,
        }
        if options.columns:
            return dialect, list(options.columns), 0
        found = [
            (number, text, [] if isinstance(values, str) else values)
            for number, text, values in _records(iter(sample), 1, dialect, options)
        ]
        if options.header_row is not None:
            index = next((i for i, row in enumerate(found) if row[0] >= options.header_row), len(found))
        else:
            index = find_header([row[2] for row in found], options.expected)
        if index >= len(found):
            return dialect, [], len(sample)
        count = options.header_rows or 1
        header = join_headers([row[2] for row in found[index : index + count]])
        after = found[index + count][0] - 1 if index + count < len(found) else len(sample)
        last = found[min(index + count, len(found)) - 1]
        first = last[0] - 1 + _line_count(last[1])
        return dialect, column_names(_without_empty_tail(header), options.expected), min(first, after)


def join_headers(rows: list[list[Any]]) -> list[str]:
    """One header out of several rows: the distinct texts of a column from top to bottom, joined by a space."""
    width = max((len(row) for row in rows), default=0)
    joined: list[str] = []
    for index in range(width):
        parts: list[str] = []
        for row in rows:
            part = normal_name(row[index]) if index < len(row) else ""
            if part and part not in parts:
                parts.append(part)
        joined.append(" ".join(parts))
    return joined


def _without_empty_tail(header: list[str]) -> list[str]:
    while header and not header[-1]:
        header = header[:-1]
    return header


def _line_count(text: str) -> int:
    return len(text.splitlines()) if "\n" not in text else text.count("\n") + (not text.endswith("\n"))


def _bounded_lines(stream: TextIO) -> Iterator[str]:
    # readline with a limit, so that a file without line ends cannot fill the memory; iteration is faster by a third
    # and as safe once the first line has an end.
    first = stream.readline(_LINE_LIMIT)
    while len(first) >= _LINE_LIMIT and not first.endswith(("\n", "\r")):
        yield first
        first = stream.readline(_LINE_LIMIT)
    if first:
        yield first
        yield from stream


def _records(
    lines: Iterator[str], number: int, dialect: Mapping[str, Any], options: FileOptions
) -> Iterator[tuple[int, str, list[str] | str]]:
    """Line number, original text, and the cells, or a sentence that says why there are none. Blank lines are passed."""
    feed = _Feed(lines, options.max_record_lines)
    taken = feed.taken
    while True:
        try:
            for values in csv.reader(feed, **dialect):
                size = len(taken)
                text = taken[0] if size == 1 else "".join(taken)
                taken.clear()
                if not storable(text):
                    yield number, text, "The line holds bytes that are no text in the file's encoding."
                elif values and (values[0] or any(map(str.strip, values))):
                    yield number, text, values
                number += size
        except (csv.Error, _TooManyLinesError) as error:
            text, rest = taken[0], taken[1:]
            feed.again(rest)
            yield number, text, _quote_problem(error)
            number += 1
        else:
            return


def _quote_problem(error: Exception) -> str:
    if isinstance(error, _TooManyLinesError) or "unexpected end" in str(error):
        return "A quote opens in this line and never closes."
    return f"The line cannot be split into cells: {error}."


def _fit(values: list[str], width: int, pad: bool) -> tuple[list[str], str | None]:
    if len(values) > width:
        if not any(map(str.strip, values[width:])):
            return values[:width], None
        return values, f"The row has {len(values)} cells and the header {width}."
    if pad:
        return values + [""] * (width - len(values)), None
    return values, f"The row has {len(values)} cells and the header {width}."


class _FillDown:
    """Repeats the cell above where a report leaves it empty."""

    def __init__(self, names: Iterable[str]) -> None:
        self._last: dict[str, Any] = dict.fromkeys(names)

    def __call__(self, fields: dict[str, Any]) -> None:
        for name, above in self._last.items():
            value = fields.get(name)
            if value is None or value == "":
                if above is not None:
                    fields[name] = above
            else:
                self._last[name] = value


FillDown = _FillDown


def sniff_delimiter(sample: list[str], expected: Iterable[str] = ()) -> str:
    """The separator under which the most lines have the same number of cells and the mapping's names appear."""
    wanted = {folded(name) for name in expected}
    best, best_score = ",", (0, 0.0, 0)
    for delimiter in _DELIMITERS:
        rows = _split_loosely(sample, delimiter)
        widths = Counter(len(row) for row in rows if len(row) > 1)
        if not widths:
            continue
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
        hits = max((len(wanted & {folded(cell) for cell in row}) for row in rows[:HEADER_SEARCH_ROWS]), default=0)
        score = (hits, count / len(rows), width)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _split_loosely(sample: list[str], delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    for line in sample:
        if line.strip():
            try:
                rows.extend(row for row in csv.reader([line[:100_000]], delimiter=delimiter) if row)
            except csv.Error:
                continue
    return rows
