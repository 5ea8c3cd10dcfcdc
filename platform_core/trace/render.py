"""A trace as text for people and as plain values for JSON."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from platform_core.trace.contracts import Branch, Trace, TracedRecord, TracedRow, Values, Version

WIDTH = 110
"""Longest line of values, without its indentation."""
_NOT_SHOWN = frozenset({"tenant_id", "load_id", "source_row", "source_system"})


def lines(trace: Trace) -> Iterator[str]:
    """The trace as an indented tree, one line after the other."""
    asked = ", ".join(f"{name} {value}" for name, value in trace.where.items())
    yield f"{trace.relation}{f' where {asked}' if asked else ''} (tenant {trace.tenant})"
    for state in trace.states:
        if state.state == "failed":
            yield f"  ! {state.date} failed its last check, the last good version is shown: {state.reason}"
        if state.dirty_because:
            yield f"  ! {state.date} waits to be made anew: {state.dirty_because}"
    printed: set[tuple[object, ...]] = set()
    for row in trace.rows:
        yield from _row(row, "  ", printed)
    yield from _left_out(trace.total - len(trace.rows), "  ", "rows")


def plain(value: Any) -> Any:
    """Dataclasses as mappings, dates and ids as text, numbers as JSON's; ready for json.dumps."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in cast("Sequence[Any]", value)]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _row(row: TracedRow, indent: str, printed: set[tuple[object, ...]]) -> Iterator[str]:
    name = " ".join(text(value) for column, value in row.key.items() if column not in _NOT_SHOWN)
    mark = (row.relation, *row.key.values())
    if mark in printed:
        yield f"{indent}{name} (shown above)"
        return
    printed.add(mark)
    yield f"{indent}{name}"
    yield from _values({column: row.values[column] for column in row.shown}, f"{indent}    ")
    for branch in row.branches:
        yield from _branch(branch, f"{indent}  ", printed, row)


def _branch(branch: Branch, indent: str, printed: set[tuple[object, ...]], made: TracedRow) -> Iterator[str]:
    count = f"{branch.total} {'record' if branch.kind == 'records' else 'row'}{'' if branch.total == 1 else 's'}"
    yield f"{indent}<- {branch.relation}: {count}{' beside these, through a window' if branch.through_window else ''}"
    if branch.archive_file:
        yield f"{indent}   the date is sealed; its records are in {branch.archive_file}"
    for row in branch.rows:
        yield from _row(row, f"{indent}   ", printed)
    for record in branch.records:
        yield from _record(record, f"{indent}   ", made)
    what = "records" if branch.kind == "records" else "rows"
    yield from _left_out(branch.total - len(branch.rows) - len(branch.records), f"{indent}   ", what)


def _record(record: TracedRecord, indent: str, made: TracedRow) -> Iterator[str]:
    """Where the record stands, and what it says otherwise than the row made from it."""
    first = record.versions[0]
    yield f"{indent}{first.source_system} {first.record_type} {first.source_pk}: {place(first)}"
    said = {name: first.payload[name] for name in made.shown if name in first.payload}
    yield from _values({n: v for n, v in said.items() if text(v) != text(made.values[n])}, f"{indent}    ")
    if record.moved_to:
        yield f"{indent}  ! a correction has moved it to {record.moved_to}; this row is to be made anew"
    elif record.corrected_since:
        yield f"{indent}  ! it has been corrected since; this row is to be made anew"
    for version in record.versions[1:]:
        kind = "now current" if version.is_current else "superseded" if first.is_current else "other version"
        yield f"{indent}  {kind}: {place(version)}: {difference(version.payload, first.payload)}"


def place(version: Version) -> str:
    """Where a version stands: file and line, and when it came."""
    came = version.received_at.strftime("%Y-%m-%d %H:%M UTC")
    return f"{version.source_name or 'unknown source'} line {version.source_row}, received {came}"


def difference(version: Values, shown: Values) -> str:
    """What a version says otherwise than the one shown."""
    names = [name for name in dict.fromkeys((*version, *shown)) if version.get(name) != shown.get(name)]
    return ", ".join(f"{name} {text(version.get(name))}" for name in names) or "the same content"


def text(value: Any) -> str:
    """A value for people: numbers to five decimals without trailing zeros, times to the second."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal | float):
        return f"{value:.5f}".rstrip("0").rstrip(".")
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S%z")
    if isinstance(value, date | UUID | str):
        return str(value) or "''"
    return str(plain(value))


def _values(values: Mapping[str, Any], indent: str) -> Iterator[str]:
    """`name value` pairs, as many on a line as fit; nulls and technical columns are left out."""
    line = ""
    for name, value in values.items():
        if value is None or name in _NOT_SHOWN:
            continue
        pair = f"{name} {text(value)}"
        if line and len(line) + len(pair) > WIDTH:
            yield f"{indent}{line}"
            line = ""
        line = f"{line}, {pair}" if line else pair
    if line:
        yield f"{indent}{line}"


def _left_out(count: int, indent: str, what: str) -> Iterator[str]:
    if count > 0:
        yield f"{indent}... and {count} more {what}"
