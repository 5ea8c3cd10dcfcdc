"""Workbooks (.xlsx, .xlsm, .xls, .xlsb, .ods) as plants keep them: titles, merged cells, several sheets."""

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import Any, Protocol, cast

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetVisibleEnum

from platform_core.ingest.contracts import Rejection, SourceRow
from platform_core.ingest.readers.delimited import FillDown, join_headers
from platform_core.ingest.readers.errors import UnreadableFileError
from platform_core.ingest.readers.headers import (
    HEADER_SEARCH_ROWS,
    column_names,
    find_header,
    folded,
    leave_out_test,
    normal_name,
)
from platform_core.ingest.readers.options import FileOptions
from platform_core.ingest.readers.text import ByteSource, storable, unreadable

Range = tuple[int, int, int, int]
"""A merged range: first row, first column, last row, last column; 0-based and inclusive."""
Row = list[Any]


class _Sheet(Protocol):
    @property
    def merged_cell_ranges(self) -> list[tuple[tuple[int, int], tuple[int, int]]] | None: ...
    def to_python(self, skip_empty_area: bool = ..., nrows: int | None = ...) -> list[list[Any]]: ...


@contextmanager
def _opened(source: ByteSource) -> Generator[CalamineWorkbook]:
    """The workbook; raises UnreadableFileError for what is none, is locked, or is broken while it is read."""
    with source.open() as stream:
        try:
            yield CalamineWorkbook.from_filelike(stream)
        except PasswordError as error:
            raise UnreadableFileError(
                f"{source.name} is protected by a password.", hint="Save it without a password and try again."
            ) from error
        except (CalamineError, OSError, ValueError) as error:
            raise UnreadableFileError(f"{source.name} is no workbook that can be read: {error}.") from error
        except BaseException as error:
            # The library is written in Rust; a broken file can make it panic, which derives from BaseException only.
            if type(error).__name__ == "PanicException":
                raise UnreadableFileError(f"{source.name} is a broken workbook: {error}.") from error
            raise


def open_workbook(source: ByteSource, options: FileOptions) -> list["SheetReader"]:
    """A reader for each sheet that holds the mapping's table; without a mapping, for each that holds anything."""
    with _opened(source) as book:
        names = _chosen(book, options.sheets)
        readers = [SheetReader(source, name, options) for name in names]
        hits = {reader.sheet: reader.matches(_content(book, reader.sheet)) for reader in readers}
    if options.sheets is not None:
        return readers
    filled = [reader for reader in readers if hits[reader.sheet] is not None]
    best = max((hits[reader.sheet] or 0 for reader in filled), default=0)
    if options.expected and best >= 2:
        # A cover sheet or a list of codes is not a table of this mapping.
        return [reader for reader in filled if (hits[reader.sheet] or 0) * 5 >= best * 2]
    return filled


def _chosen(book: CalamineWorkbook, patterns: Sequence[str] | None) -> list[str]:
    if patterns is None:
        return [sheet.name for sheet in book.sheets_metadata if sheet.visible == SheetVisibleEnum.Visible]
    found = [name for name in book.sheet_names if any(fnmatchcase(name, pattern) for pattern in patterns)]
    if not found:
        raise UnreadableFileError(
            f"No sheet is called {' or '.join(patterns)}; there are {', '.join(book.sheet_names)}."
        )
    return found


class _Content:
    """The cells of a sheet from A1 on, and its merged ranges."""

    def __init__(self, rows: list[Row], merged: list[Range]) -> None:
        self.rows = rows
        self.merged = [area for area in merged if area[0] < len(rows) and (area[0], area[1]) != (area[2], area[3])]

    def filled(self, first: int, last: int, columns: set[int] | None = None) -> None:
        """Give every cell of a merged range its value, for ranges that begin in these rows."""
        for top, left, bottom, right in self.merged:
            if first <= top <= last and left < len(self.rows[top]):
                value = self.rows[top][left]
                for row in self.rows[top : bottom + 1]:
                    for column in range(left, min(right + 1, len(row))):
                        if columns is None or column in columns:
                            row[column] = value


def _content(book: CalamineWorkbook, name: str) -> _Content:
    sheet = cast("_Sheet", book.get_sheet_by_name(name))
    rows = sheet.to_python(skip_empty_area=False)
    ranges = sheet.merged_cell_ranges or []
    return _Content(rows, [(top, left, bottom, right) for (top, left), (bottom, right) in ranges])


class SheetReader:
    """The rows of one sheet."""

    def __init__(self, source: ByteSource, sheet: str, options: FileOptions) -> None:
        self._source = source
        self.sheet = sheet
        self._options = options
        self._names: list[str] | None = None
        self.left_out = 0

    @property
    def name(self) -> str:
        """The file and the sheet."""
        return f"{self._source.name} [{self.sheet}]"

    def digest(self) -> str:
        """What tells this sheet, read in this way, from any other."""
        return self._source.digest(self.sheet, self._options.model_dump_json(exclude={"expected"}))

    def headers(self) -> list[str]:
        """The names of the columns."""
        if self._names is None:
            with _opened(self._source) as book:
                self._names = self._layout(_content(book, self.sheet))[0]
        return list(self._names)

    def matches(self, content: _Content) -> int | None:
        """How many of the mapping's names the header holds; None for an empty sheet."""
        if not any(_has_value(row) for row in content.rows):
            return None
        names, _ = self._layout(content)
        self._names = names
        return len({folded(name) for name in self._options.expected} & {folded(name) for name in names})

    def rows(self) -> Iterator[SourceRow | Rejection]:
        """The rows below the header that are not empty."""
        self.left_out = 0
        with _opened(self._source) as book:
            content = _content(book, self.sheet)
        names, first = self._layout(content)
        self._fill_merged(content, names, first)
        left_out = leave_out_test(self._options.leave_out)
        fill = FillDown(self._options.fill_down) if self._options.fill_down else None
        for number, row in enumerate(content.rows[first:], first + 1):
            if not _has_value(row):
                continue
            fields = {name: _cell(value) for name, value in zip(names, row, strict=False)}
            if fill:
                fill(fields)
            # After filling, so that the text alone is enough to try the row again.
            text = json.dumps(fields, ensure_ascii=False, default=_as_text)
            if not storable(text) or "\\u0000" in text:
                yield unreadable(number, text, "A cell holds characters that no text may hold.")
            elif left_out and left_out(fields):
                self.left_out += 1
            else:
                yield SourceRow(number, fields, text)

    def _fill_merged(self, content: _Content, names: list[str], first: int) -> None:
        wanted = self._options.fill_merged
        if wanted is False:
            return
        columns = None if wanted is True else {index for index, name in enumerate(names) if name in wanted}
        content.filled(first, len(content.rows), columns)

    def _layout(self, content: _Content) -> tuple[list[str], int]:
        """The columns' names, and the 0-based row where the table's rows begin."""
        options = self._options
        if options.columns:
            return list(options.columns), (options.header_row or 1) - 1
        head = _Content([list(row) for row in content.rows[: HEADER_SEARCH_ROWS * 2]], content.merged)
        head.filled(0, len(head.rows))
        if options.header_row is not None:
            top = options.header_row - 1
            bottom = top + (options.header_rows or 1) - 1
            if options.header_rows is None:
                bottom = _block(content.rows, content.merged, top)[1]
        else:
            top = find_header(head.rows, options.expected)
            top, bottom = _block(content.rows, content.merged, top)
            if options.header_rows is not None:
                bottom = top + options.header_rows - 1
        header = join_headers(head.rows[top : bottom + 1])
        return column_names(_without_empty_tail(header, content.rows[bottom + 1 :]), options.expected), bottom + 1


def _block(rows: Sequence[Row], merged: Sequence[Range], index: int) -> tuple[int, int]:
    """First and last row of the header that a row belongs to, by the cells merged across rows or over sub-columns."""
    top = bottom = index
    for first, left, last, right in merged:
        if first <= index <= last and last > first and last - first < 5:
            top, bottom = min(top, first), max(bottom, last)
        elif first == last == index and right > left and _are_labels(rows, index + 1, left, right):
            bottom = max(bottom, index + 1)
        elif first == last == index - 1 and 0 < right - left < len(rows[index]) - 1 and first > 0 and top == index:
            # A group such as `불량유형` above its columns, where nothing is merged downwards.
            top = index - 1
    return top, bottom


def _are_labels(rows: Sequence[Row], index: int, left: int, right: int) -> bool:
    if index >= len(rows):
        return False
    below = [value for value in rows[index][left : right + 1] if _cell(value) is not None]
    return len(below) > 1 and all(isinstance(value, str) for value in below)


def _without_empty_tail(header: list[str], rows: Sequence[Row]) -> list[str]:
    """Columns without a name at the right end are left out unless something stands below them."""
    width = max((index + 1 for row in rows for index, value in enumerate(row) if _cell(value) is not None), default=0)
    while header and not normal_name(header[-1]) and len(header) > width:
        header = header[:-1]
    return header


def _has_value(row: Row) -> bool:
    return any(_cell(value) is not None for value in row)


def _cell(value: Any) -> Any:
    """A cell's value; an empty one is None, and so is one of spaces."""
    return None if value is None or (isinstance(value, str) and not value.strip()) else value


def _as_text(value: Any) -> str:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return repr(value)
