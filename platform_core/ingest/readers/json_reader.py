"""JSON Lines (streamed) and JSON arrays, also under a path; a broken record is a rejection, and the rest goes on."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, cast

import msgspec

from platform_core.ingest.contracts import Rejection, SourceRow
from platform_core.ingest.readers.headers import leave_out_test
from platform_core.ingest.readers.options import FileOptions
from platform_core.ingest.readers.text import ByteSource, open_text, storable, unreadable

# Possessive, and with the end of the text as a string's end too: an open quote must not be tried again and again.
_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)
_BEHIND = 1 << 16
_BLANK = " \t\r\n"
_ENVELOPES = ("data", "items", "records", "results", "rows", "value")


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_quick_decode = msgspec.json.Decoder().decode


def parse_record(text: str) -> dict[str, Any] | str:
    """The object in a text, or a sentence that says why there is none."""
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        return "The record is nested too deeply."
    except ValueError as error:
        return f"The record is not JSON: {error}."
    return check_record(value, text)


def parse_document(text: str) -> Any:
    """A whole JSON text as a value; a ValueError (returned, not raised) when it is none."""
    try:
        return _DECODER.decode(text.lstrip("\ufeff"))
    except RecursionError:
        return ValueError("nested too deeply")
    except ValueError as error:
        return error


def check_record(value: Any, text: str) -> dict[str, Any] | str:
    """A parsed value as a record that can be stored, or a sentence that says why it is none."""
    if type(value) is not dict:
        return f"A record must be a JSON object, this is {_kind(value)}."
    record = cast("dict[str, Any]", value)
    # Only an escape can bring a NUL or half a surrogate pair into text that itself is sound.
    if "\\u" in text and not storable(json.dumps(record, ensure_ascii=False)):
        return "The record holds characters that no text may hold (half of a surrogate pair)."
    if "\\u0000" in text and _has_nul(record):
        return "The record holds a NUL character."
    return record


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value)
        return any(_has_nul(key) or _has_nul(item) for key, item in items.items())
    return isinstance(value, list) and any(_has_nul(item) for item in cast("list[Any]", value))


def _kind(value: Any) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(cast("type[Any]", type(value)), "a number")


def walk_path(value: Any, path: str | None) -> Any:
    """What lies under a dotted path, or None."""
    for part in path.split(".") if path else ():
        if not isinstance(value, dict):
            return None
        value = cast("dict[str, Any]", value).get(part)
    return value


class JsonLinesReader:
    """One JSON object a line; blank lines are passed."""

    def __init__(self, source: ByteSource, options: FileOptions) -> None:
        self._source = source
        self._options = options
        self.left_out = 0

    @property
    def name(self) -> str:
        return self._source.name

    def digest(self) -> str:
        """What tells this file, read in this way, from any other."""
        return self._source.digest(self._options.model_dump_json(exclude={"expected"}))

    def headers(self) -> list[str]:
        """The keys of the first record that can be read."""
        return first_keys(self.rows())

    def rows(self) -> Iterator[SourceRow | Rejection]:
        """A row or a rejection for each line that is not blank."""
        self.left_out = 0
        left_out = leave_out_test(self._options.leave_out)
        with closing(open_text(self._source, self._options.encoding)) as stream:
            for number, line in enumerate(stream, 1):
                row = _line_row(number, line)
                if row is None:
                    continue
                if left_out and isinstance(row, SourceRow) and left_out(row.fields):
                    self.left_out += 1
                else:
                    yield row


def _line_row(number: int, line: str) -> SourceRow | Rejection | None:
    # Nearly every line is sound. It reads the same by either decoder, and json says best what is wrong with another.
    try:
        value = _quick_decode(line)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return _careful_row(number, line)
    if type(value) is dict and "\\" not in line and (line.isascii() or "\ufffd" not in line):
        return SourceRow(number, cast("dict[str, Any]", value), line)
    return _careful_row(number, line)


def _careful_row(number: int, line: str) -> SourceRow | Rejection | None:
    if not storable(line):
        return unreadable(number, line, "The line holds bytes that are no text in the file's encoding.")
    record = parse_record(line)
    if type(record) is dict:
        return SourceRow(number, record, line)
    return unreadable(number, line, str(record)) if line.strip() else None


class JsonReader:
    """The objects of a JSON array, at the top or under a path; numbered by their place in the array."""

    def __init__(self, source: ByteSource, options: FileOptions) -> None:
        self._source = source
        self._options = options
        self.left_out = 0

    @property
    def name(self) -> str:
        return self._source.name

    def digest(self) -> str:
        """What tells this file, read in this way, from any other."""
        return self._source.digest(self._options.model_dump_json(exclude={"expected"}))

    def headers(self) -> list[str]:
        """The keys of the first record that can be read."""
        return first_keys(self.rows())

    def rows(self) -> Iterator[SourceRow | Rejection]:
        """A row or a rejection for each element of the array."""
        self.left_out = 0
        left_out = leave_out_test(self._options.leave_out)
        with closing(open_text(self._source, self._options.encoding)) as stream:
            text = stream.read().lstrip("\ufeff")
        for row in _document_rows(text, self._options.records):
            if left_out and isinstance(row, SourceRow) and left_out(row.fields):
                self.left_out += 1
            else:
                yield row


def first_keys(rows: Iterator[SourceRow | Rejection]) -> list[str]:
    """The fields of the first row that can be read; none when there is none."""
    for row in rows:
        if isinstance(row, SourceRow):
            return list(row.fields)
    return []


def _document_rows(text: str, path: str | None) -> Iterator[SourceRow | Rejection]:
    if not text.strip():
        return
    if path is None and text.lstrip().startswith("["):
        yield from _array_rows(text)
        return
    document = parse_document(text)
    if isinstance(document, ValueError):
        yield unreadable(1, text, f"The file is not one JSON document: {document}.")
        return
    found = walk_path(document, path)
    if isinstance(found, dict) and path is None:
        array = envelope_array(cast("dict[str, Any]", found))
        found = [cast("dict[str, Any]", found)] if array is None else array
    if not isinstance(found, list):
        yield unreadable(1, text, f"There is no array under `{path or '(top)'}`.")
        return
    for number, value in enumerate(cast("list[Any]", found), 1):
        yield record_row(number, value)


def envelope_array(document: Mapping[str, Any]) -> list[Any] | None:
    """The array of records in an answer like {"data": [...], "total": 5}; None where there is none."""
    for name in _ENVELOPES:
        found = document.get(name)
        if isinstance(found, list) and all(isinstance(item, dict) for item in cast("list[Any]", found)[:1]):
            return cast("list[Any]", found)
    return None


def record_row(number: int, value: Any) -> SourceRow | Rejection:
    """A row out of a parsed value, its text written anew."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    # Written without escapes, the text shows everything that cannot be stored, so check it as if it had some.
    record = check_record(value, text if storable(text) and "\\u0000" not in text else text + "\\u0000\\u")
    return unreadable(number, text, record) if isinstance(record, str) else SourceRow(number, record, text)


def _array_rows(text: str) -> Iterator[SourceRow | Rejection]:
    position = text.index("[") + 1
    number = 0
    while True:
        position = _skip(text, position)
        if position >= len(text) or text[position] == "]":
            tail = text[position + 1 :].strip() if position < len(text) else ""
            if tail or position >= len(text):
                yield unreadable(number + 1, tail, "The array never ends." if not tail else "Text after the array.")
            return
        number += 1
        position, row = _element(text, position, number)
        yield row
        if isinstance(row, Rejection) and position > _BEHIND:
            # A fault is told with its line, for which json counts all lines before it, each time anew.
            text, position = text[position:], 0


def _skip(text: str, position: int) -> int:
    while position < len(text) and (text[position] in _BLANK or text[position] == ","):
        position += 1
    return position


def _element(text: str, position: int, number: int) -> tuple[int, SourceRow | Rejection]:
    """The element at a position and where it ends; a broken one ends where its brackets close."""
    try:
        value, end = _DECODER.raw_decode(text, position)
    except (ValueError, RecursionError) as error:
        end = _end_of_broken(text, position)
        return end, unreadable(number, text[position:end], f"The record is not JSON: {error}.")
    part = text[position:end]
    if not storable(part):
        return end, unreadable(number, part, "The record holds bytes that are no text in the file's encoding.")
    record = check_record(value, part)
    return end, unreadable(number, part, record) if isinstance(record, str) else SourceRow(number, record, part)


def _end_of_broken(text: str, position: int) -> int:
    depth = 0
    for found in _STRUCTURE.finditer(text, position):
        sign = found.group()
        if sign in "[{":
            depth += 1
        elif sign in "]}":
            depth -= 1
            if depth < 0:
                return max(found.start(), position + 1)
            if depth == 0:
                return found.end()
        elif sign == "," and depth == 0:
            return max(found.start(), position + 1)
    return len(text)
