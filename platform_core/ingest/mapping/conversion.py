"""From a source value to the JSON-ready value of one payload field, prepared once for each field of a mapping."""

import json
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

from platform_core.ingest.mapping.schema import FieldSpec, Mapping
from platform_core.ingest.mapping.times import (
    EPOCH,
    MICROSECOND,
    NOTHING,
    in_zone,
    microseconds,
    moment_parser,
    to_clock_text,
)
from platform_core.ingest.mapping.values import (
    SECONDS,
    duration_seconds,
    rounded,
    to_boolean,
    to_integer,
    to_number,
    to_ratio,
    to_text,
    unit_word,
)

Convert = Callable[[Any], Any]
"""From one source value to a JSON-ready one, None for no value; raises ValueError with what is wrong."""

_DURATION_SUFFIX = {"_minutes": "minutes", "_sec": "seconds", "_hours": "hours", "_days": "days"}
_BIGINT = 2**63
_EXACT = 1e12
"""Whole numbers below it stay exact when they are turned into seconds and back."""


def duration_unit(field: str) -> str | None:
    """The unit of a payload field that is a duration, by its name; None for every other field."""
    if field == "minutes":
        return "minutes"
    return next((unit for suffix, unit in _DURATION_SUFFIX.items() if field.endswith(suffix)), None)


def converter(field: str, kind: str, spec: FieldSpec, mapping: Mapping, zone: ZoneInfo) -> Convert:
    """The conversion of one field, `kind` being its type."""
    zone = ZoneInfo(spec.timezone) if spec.timezone else zone
    decimal = spec.decimal or mapping.numbers.decimal
    if kind == "text":
        return to_text
    if kind == "boolean":
        return to_boolean
    if kind == "time":
        return to_clock_text
    if kind == "json":
        return _to_json
    if kind == "date":
        return date_converter(spec, zone)
    if kind == "timestamp":
        return _timestamp_converter(spec, zone)
    return _number_converter(field, kind, spec, decimal)


def _number_converter(field: str, kind: str, spec: FieldSpec, decimal: str) -> Convert:
    target = duration_unit(field)
    if spec.unit == "percent":
        return lambda value: to_ratio(value, decimal)
    if target is not None and kind == "number":
        return _scaled(_duration_converter(spec.unit or target, target, decimal), spec.scale)
    to_kind = to_integer if kind == "integer" else to_number
    if decimal == "." and spec.scale is None:
        return to_kind
    return _scaled(lambda value: to_kind(value, decimal), spec.scale)


def _scaled(convert: Convert, scale: float | None) -> Convert:
    if scale is None:
        return convert
    return lambda value: None if (number := convert(value)) is None else rounded(number * scale)


def _duration_converter(unit: str, target: str, decimal: str) -> Convert:
    factor = SECONDS[unit] / SECONDS[target]
    per_target = SECONDS[target]

    def convert(value: Any) -> int | float | None:
        if type(value) is int:
            return value if factor == 1 else rounded(value * factor)
        if factor == 1 and type(value) is float and value.is_integer() and abs(value) < _EXACT:
            return int(value)
        seconds = duration_seconds(value, unit, decimal)
        return None if seconds is None else rounded(seconds / per_target)

    return convert


def convert_with_unit(field: str, value: Any, unit: Any, decimal: str) -> int | float | None:
    """A duration whose unit stands in another source field."""
    target = duration_unit(field)
    number = to_number(value, decimal)
    if number is None or target is None:
        return number
    # An activity of zero often has no unit at all.
    if number == 0 and to_text(unit) is None:
        return 0
    return rounded(number * SECONDS[unit_word(unit)] / SECONDS[target])


def _to_json(value: Any) -> Any:
    if isinstance(value, dict | list) or value is None:
        return cast("Any", value)
    text = to_text(value)
    if text is None:
        return None
    try:
        found = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError("is not JSON") from error
    if isinstance(found, dict | list):
        return cast("Any", found)
    raise ValueError("is neither a JSON list nor an object")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def date_converter(spec: FieldSpec, zone: ZoneInfo) -> Convert:
    """To an ISO date; a time with an offset gives the date in the zone."""
    parse = moment_parser(spec.format)
    free = spec.format is None

    def convert(value: Any) -> str | None:
        if free and type(value) is str and len(value) == 10 and value not in NOTHING:
            try:
                return date.fromisoformat(value).isoformat()
            except ValueError:
                pass
        moment = parse(value)
        if moment is None:
            return None
        if moment.tzinfo is not None:
            moment = moment.astimezone(zone)
        return moment.date().isoformat()

    return convert


def _timestamp_converter(spec: FieldSpec, zone: ZoneInfo) -> Convert:
    parse = moment_parser(spec.format)
    free = spec.format is None
    from_iso = datetime.fromisoformat

    def convert(value: Any) -> str | None:
        # What an MES sends, 2025-03-01T08:00:00+09:00, is already in the form that is wanted.
        if free and type(value) is str and len(value) == 25 and value[10] == "T":
            try:
                if from_iso(value).tzinfo is not None:
                    return value
            except ValueError:
                pass
        moment = parse(value)
        return None if moment is None else _storable(in_zone(moment, zone)).isoformat()

    return convert


def _storable(moment: datetime) -> datetime:
    # Years so far out that their UTC form leaves the calendar would raise far from here.
    if not 1900 <= moment.year <= 2200:
        raise ValueError("is not a date or time that can be meant")
    return moment


def version_converter(kind: str, spec: FieldSpec, zone: ZoneInfo) -> Callable[[Any], int | None]:
    """To the number that orders versions: microseconds since 1970 UTC, or the sequence number itself."""
    zone = ZoneInfo(spec.timezone) if spec.timezone else zone
    if kind == "integer":
        return _sequence
    parse = moment_parser(spec.format)
    from_iso = datetime.fromisoformat
    fast = spec.format is None

    def convert(value: Any) -> int | None:
        if fast and type(value) is str and len(value) == 25:
            try:
                delta = from_iso(value) - EPOCH
            except (ValueError, TypeError):
                pass
            else:
                return delta // MICROSECOND
        moment = parse(value)
        return None if moment is None else microseconds(_storable(in_zone(moment, zone)))

    return convert


def _sequence(value: Any) -> int | None:
    number = to_integer(value)
    if number is not None and not 0 <= number < _BIGINT:
        raise ValueError("is no sequence number that can be kept")
    return number
