"""Where a payload field's value comes from: getters over a source row, prepared once for each field."""

import re
from collections.abc import Callable, Sequence
from typing import Any, cast

from platform_core.ingest.mapping.expressions import Step, compile_expression, parse_expression
from platform_core.ingest.mapping.schema import ChildRows, FieldSpec, TextList
from platform_core.ingest.mapping.times import joined_moment
from platform_core.ingest.mapping.values import to_number, to_text
from platform_core.ingest.readers.headers import folded, normal_name

Row = tuple[Any, Any]
"""The source row's fields, and the payload as far as it is built."""
Origin = Callable[[Any, Any], Any]
"""From (fields, payload) to the raw value."""
KNOWN_NAMES = {"defect_details": ("type", "qty"), "downtime_reasons": ("reason", "minutes")}
LIST_SEPARATORS = (" ", ":", "=")
_LABEL_UNIT = re.compile(r"\s*[(\[]\s*(?:시간|분|초|개|건|h|hr|min|sec|s|ea|pcs|qty)\s*[)\]]$", re.IGNORECASE)


def source_getter(name: str) -> Callable[[Any], Any]:
    """A function that gets a source field; a dotted name also walks into JSON."""
    if "." not in name:
        return lambda fields: fields.get(name)
    parts = name.split(".")

    def walk(fields: Any) -> Any:
        if name in fields:
            return fields[name]
        value: Any = fields
        for part in parts:
            if isinstance(value, dict):
                value = cast("dict[str, Any]", value).get(part)
            elif isinstance(value, list) and part.isdigit():
                items = cast("list[Any]", value)
                value = items[int(part)] if int(part) < len(items) else None
            else:
                return None
        return value

    return walk


def first_with_value(names: Sequence[str], empty: frozenset[str]) -> Callable[[Any], Any]:
    """A function that gets the first of several source fields that has a value."""
    getters = [source_getter(name) for name in names]
    if len(getters) == 1:
        return getters[0]

    def get(fields: Any) -> Any:
        for getter in getters:
            value = getter(fields)
            if value is not None and not (isinstance(value, str) and value.strip() in empty):
                return value
        return None

    return get


def joined(names: Sequence[str], separator: str, *, moment: bool) -> Callable[[Any], Any]:
    """A function that puts several source fields together: as one moment, or as text."""
    getters = [source_getter(name) for name in names]
    if moment:
        return lambda fields: joined_moment([getter(fields) for getter in getters])

    def get(fields: Any) -> str | None:
        texts = [to_text(getter(fields)) for getter in getters]
        return separator.join(text for text in texts if text) or None

    return get


def expression_origin(field: str, text: str, payload_names: frozenset[str], decimal: str = ".") -> Origin:
    """An expression; a name is the payload field if the mapping fills one of that name, else a source field."""

    def lookup(name: str) -> Step:
        if name in payload_names and name != field:
            return lambda row: row[1].get(name)
        get = source_getter(name)
        if decimal == ",":
            return lambda row: _with_point(get(row[0]))
        return lambda row: get(row[0])

    run = compile_expression(parse_expression(text), lookup)
    return lambda fields, payload: run((fields, payload))


def _with_point(value: Any) -> Any:
    """A number written with a decimal comma as a number; everything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return to_number(value, ",")
    except ValueError:
        return value


def plain_label(text: str) -> str:
    """A label as it is compared: without spaces, letter case and a unit at its end: `품목 교체(분)` is `품목교체`."""
    return re.sub(r"\s", "", _LABEL_UNIT.sub("", folded(text)))


def labels_of(spec: FieldSpec) -> Callable[[Any], Any]:
    """What the labels of a built list become by the mapping's `values`; a label that is not among them stays."""
    if spec.values is None:
        return lambda label: label
    known = {plain_label(name): label for name, label in spec.values.items()}
    return lambda label: known.get(plain_label(str(label)), label)


def list_of_columns(field: str, spec: FieldSpec, convert: Callable[[Any, Any], Any]) -> Origin:
    """A list with an entry for each column that holds more than zero; None when all are empty."""
    label_key, value_key = spec.names or KNOWN_NAMES.get(field, ("name", "value"))
    label_for = labels_of(spec)
    fixed = [(name, label_for(label)) for name, label in (spec.columns or {}).items()]
    columns_of = _columns_under(spec.columns_under, fixed, label_for) if spec.columns_under else None
    empty = frozenset(("", "-"))

    def build(fields: Any, payload: Any) -> list[dict[str, Any]] | None:
        del payload
        entries: list[dict[str, Any]] = []
        found = False
        for name, label in columns_of(fields) if columns_of else fixed:
            value = fields.get(name)
            if value is None or (isinstance(value, str) and value.strip() in empty):
                continue
            number = convert(value, fields)
            found = found or number is not None
            if number:
                entries.append({label_key: label, value_key: number})
        return entries if found else None

    return build


def _columns_under(
    groups: Sequence[str], fixed: list[tuple[str, Any]], label_for: Callable[[Any], Any]
) -> Callable[[Any], list[tuple[str, Any]]]:
    named = {folded(name): label for name, label in fixed}
    known: dict[tuple[str, ...], list[tuple[str, Any]]] = {}

    def label_of(name: str) -> Any:
        short = folded(name)
        if short in named:
            return named[short]
        group = next((group for group in groups if short.startswith(folded(group)) and short != folded(group)), None)
        return None if group is None else label_for(rest_of(name, group))

    def columns(fields: Any) -> list[tuple[str, Any]]:
        names = tuple(fields)
        if names not in known:
            known[names] = [(name, label) for name in names if (label := label_of(name)) is not None]
        return known[names]

    return columns


def rest_of(name: str, prefix: str) -> str:
    """The part of a joined header after its group: `불량유형 치수불량` under `불량유형` is `치수불량`."""
    rest = normal_name(name)
    group = normal_name(prefix)
    return rest[len(group) :].strip() if rest.startswith(group) else rest.rsplit(" ", 1)[-1]


def list_of_text(field: str, spec: FieldSpec, form: TextList, convert: Callable[[Any], Any]) -> Origin:
    """A list written in one cell, such as `치수:3; 외관:2`. Raises ValueError for an entry without a number."""
    label_key, value_key = spec.names or KNOWN_NAMES.get(field, ("name", "value"))
    get = source_getter(form.from_)
    label_for = labels_of(spec)

    def build(fields: Any, payload: Any) -> list[dict[str, Any]] | None:
        del payload
        text = to_text(get(fields))
        if text is None:
            return None
        entries: list[dict[str, Any]] = []
        for part in filter(None, map(str.strip, text.split(form.separator))):
            label, sign, number = part.rpartition(form.pair)
            if not sign:
                raise ValueError(f"has an entry without `{form.pair}`: {part}")
            entries.append({label_key: label_for(label.strip()), value_key: convert(number)})
        return entries

    return build


def list_of_children(form: ChildRows, makers: Sequence[tuple[str, Origin]]) -> Origin:
    """A list of objects made of the child rows of a JSON record. Raises ValueError when they are no list."""
    get = source_getter(form.from_)

    def build(fields: Any, payload: Any) -> list[dict[str, Any]] | None:
        del payload
        rows = get(fields)
        if rows is None:
            return None
        if not isinstance(rows, list):
            raise ValueError("is not a list")
        entries: list[dict[str, Any]] = []
        for row in cast("list[Any]", rows):
            if not isinstance(row, dict):
                raise ValueError("has an entry that is no object")
            entry: dict[str, Any] = {}
            for name, make in makers:
                value = make(row, entry)
                if value is not None:
                    entry[name] = value
            entries.append(entry)
        return entries

    return build
