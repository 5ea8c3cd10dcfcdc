"""What one record shows by itself: types, limits, lists, and rules between its fields; and its canonical JSON.

Checking and writing JSON go together, field by field in the record type's order, since this runs for every row read.
What only a day shows (volumes, outliers, missing master data) is a check on the model, not here.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from json.encoder import encode_basestring as quote
from math import isfinite
from typing import Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from platform_core.ingest.contracts import Payload
from platform_core.ingest.quick_check import quick_writer
from platform_core.ingest.record_types import DETAILS, Field, RecordType

MAX_TEXT = 200
"""Characters of an ordinary text. Codes become part of unique indexes, and an index row holds 2,704 bytes."""
MAX_LONG_TEXT = 10_000
MAX_RECORD = 1_000_000
"""Characters of one record as JSON."""
MAX_NUMBER = 1e18
LONG_TEXTS = frozenset(
    {"message", "name", "name_en", "spec", "description", "quality_standard", "calculation_method", "comment"}
    | {"root_cause", "countermeasure"}
)

_SHOWN = 60
_TOLERANCE = 1e-6
_EARLIEST, _LATEST = 1000, 9000
"""Years outside of which a time cannot be moved to another zone and back."""
_CANONICAL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d").fullmatch
_NUL = "\\u0000"


class InvalidRecord(Exception):
    """A record that cannot be used: reason code, field, value and a sentence. Landing turns it into a Rejection."""

    def __init__(self, code: str, field: str | None, value: object, message: str) -> None:
        super().__init__(message)
        self.code, self.field, self.value, self.message = code, field, value, message


class _Unfit(Exception):
    """A value that does not fit its field; the field's name is added by whoever knows it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


Write = Callable[[Any], str]
"""Checks a value that is not None and returns its JSON; raises _Unfit."""

_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, sort_keys=True).encode


class Validator:
    """Checks payloads of one record type and writes them as canonical JSON.

    Canonical: fields in the record type's order, then any others by name; nulls left out; whole numbers without a
    fraction; so that the same content always gives the same text, and the same hash.
    """

    def __init__(self, kind: RecordType) -> None:
        self._kind = kind
        self._known = frozenset(kind.fields)
        self._fields = tuple(
            (name, f"{quote(name)}:", _writer(kind.name, name, field), field.required)
            for name, field in kind.fields.items()
        )
        self._rules = _RULES.get(kind.name, ())
        self._plainly_keeps_rules = _PLAINLY_KEEPS_RULES.get(kind.name, lambda record: True)
        self._has_quantities = self._known >= _QUANTITIES
        lists = {name: fields for (owner, name), fields in DETAILS.items() if owner == kind.name}
        self._quick = quick_writer(kind.name, kind.fields, lists, text_limit=_limit, largest=int(MAX_NUMBER))

    def write(self, payload: Payload) -> str:
        """The payload as canonical JSON; raises InvalidRecord."""
        return self.check(payload)[0]

    def check(self, payload: Payload) -> tuple[str, Any]:
        """The payload as canonical JSON, and where that was easy as an object with moments for times, else None."""
        if self._has_quantities:
            payload = _with_exact_quantities(payload)
        found = self._quick(payload) if self._quick is not None else None
        text, record = found if found is not None else (f"{{{','.join(self._parts(payload))}}}", None)
        if record is None or not self._plainly_keeps_rules(record):
            for rule in self._rules:
                rule(payload)
        if "\\" in text and _NUL in text and "\0" in _texts(payload):
            raise InvalidRecord("BAD_TEXT", None, None, "A text holds a NUL character, which PostgreSQL cannot store.")
        if len(text) > MAX_RECORD:
            raise InvalidRecord("TOO_LONG", None, None, f"The record is {len(text):,} characters long.")
        return text, record

    def _parts(self, payload: Payload) -> list[str]:
        parts: list[str] = []
        name = ""
        try:
            for name, prefix, write, required in self._fields:
                value = payload.get(name)
                if value is None:
                    if required:
                        raise _Unfit("MISSING_FIELD", "is required and missing")
                    continue
                parts.append(prefix + write(value))
            if not payload.keys() <= self._known:
                for name in sorted(payload.keys() - self._known):
                    parts.append(f"{quote(name)}:{_write_json(payload[name])}")
        except _Unfit as unfit:
            value = payload.get(name)
            raise InvalidRecord(unfit.code, name, value, f"{name}{_shown(value)} {unfit.message}.") from None
        return parts


def _shown(value: object) -> str:
    """A short value as a message says it; nothing for a long one, which is kept apart."""
    return f" {value!r}" if isinstance(value, str | int | float) and 0 < len(str(value)) <= _SHOWN else ""


def _texts(payload: Payload) -> str:
    """Every text of the payload run together, unescaped: tells a NUL from a backslash followed by u0000."""

    def gather(value: Any) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, Mapping):
            return "".join(f"{key}{gather(one)}" for key, one in value.items())  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        return "".join(map(gather, value)) if isinstance(value, list) else ""  # pyright: ignore[reportUnknownArgumentType]

    return gather(payload)


# One writer for each type -------------------------------------------------------------------------------------------


def _writer(kind: str, name: str, field: Field) -> Write:
    if field.type == "text":
        if name == "timezone":
            return _write_zone
        if field.values is not None:
            return _choice_writer(field.values)
        return _text_writer(_limit(name))
    if field.type in ("number", "integer"):
        return _number_writer(field.minimum, whole=field.type == "integer")
    if field.type == "json" and (kind, name) in DETAILS:
        return _list_writer(DETAILS[kind, name])
    return _WRITERS[field.type]


def _limit(name: str) -> int:
    return MAX_LONG_TEXT if name in LONG_TEXTS else MAX_TEXT


def _text_writer(limit: int) -> Write:
    def write(value: Any) -> str:
        if value.__class__ is not str:
            raise _Unfit("WRONG_TYPE", "is not a text")
        if not value:
            raise _Unfit("MISSING_FIELD", "is an empty text")
        if len(value) > limit:
            raise _Unfit("TOO_LONG", f"is longer than {limit:,} characters")
        return quote(value)

    return write


def _choice_writer(values: tuple[str, ...]) -> Write:
    quoted = {value: quote(value) for value in values}

    def write(value: Any) -> str:
        known = quoted.get(value) if value.__class__ is str else None
        if known is None:
            raise _Unfit("NOT_ALLOWED", f"is not one of {', '.join(values)}")
        return known

    return write


def _number_writer(minimum: float | None, *, whole: bool) -> Write:
    low = -MAX_NUMBER if minimum is None else minimum
    below = ("NEGATIVE", "is negative") if minimum == 0 else ("TOO_SMALL", f"is below {low:g}")

    def write(value: Any) -> str:
        if value.__class__ is float:
            if not isfinite(value):
                raise _Unfit("WRONG_TYPE", "is not a finite number")
            if value.is_integer():
                value = int(value)
            elif whole:
                raise _Unfit("WRONG_TYPE", "is not a whole number")
        elif value.__class__ is not int:
            raise _Unfit("WRONG_TYPE", "is not a number")
        if not low <= value <= MAX_NUMBER:
            raise _Unfit(*(below if value < low else ("TOO_LARGE", f"is above {MAX_NUMBER:g}")))
        return repr(value)

    return write


def _write_boolean(value: Any) -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    raise _Unfit("WRONG_TYPE", "is neither true nor false")


def _write_date(value: Any) -> str:
    try:
        return f'"{date.fromisoformat(value).isoformat()}"'
    except (TypeError, ValueError):
        raise _Unfit("WRONG_TYPE", "is not a date (YYYY-MM-DD)") from None


def _write_time(value: Any) -> str:
    if value in ("24:00", "24:00:00"):  # the midnight that ends a day
        value = "00:00:00"
    try:
        moment = time.fromisoformat(value)
    except (TypeError, ValueError):
        raise _Unfit("WRONG_TYPE", "is not a time of day (HH:MM:SS)") from None
    if moment.tzinfo is not None:
        raise _Unfit("WRONG_TYPE", "is a time of day with an offset; a shift is told in the plant's own time")
    return f'"{moment.isoformat()}"'


def _write_timestamp(value: Any) -> str:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise _Unfit("WRONG_TYPE", "is not a time in ISO 8601") from None
    if moment.tzinfo is None:
        raise _Unfit("WRONG_TYPE", "is a time without an offset, so nobody knows the moment")
    if not _EARLIEST <= moment.year <= _LATEST:
        raise _Unfit("OUT_OF_RANGE", "is not a year of this world")
    return f'"{value}"' if _CANONICAL_TIME(value) else f'"{moment.isoformat()}"'


def _write_json(value: Any) -> str:
    try:
        return _dump(value)
    except (TypeError, ValueError, RecursionError):
        raise _Unfit("WRONG_TYPE", "is not JSON (or holds NaN, or infinity)") from None


def _write_zone(value: Any) -> str:
    try:
        ZoneInfo(value)
    except (TypeError, ValueError, OSError, ZoneInfoNotFoundError):
        raise _Unfit("NOT_ALLOWED", "is not a time zone such as Asia/Seoul") from None
    return quote(value)


_WRITERS: Mapping[str, Write] = {
    "boolean": _write_boolean,
    "date": _write_date,
    "time": _write_time,
    "timestamp": _write_timestamp,
    "json": _write_json,
}


# Lists of details ---------------------------------------------------------------------------------------------------


def _list_writer(details: Mapping[str, Field]) -> Write:
    fields = tuple(
        (name, f"{quote(name)}:", _writer("", name, field), field.required) for name, field in sorted(details.items())
    )
    known = frozenset(details)

    def entry(position: int, value: Any) -> str:
        if value.__class__ is not dict:
            raise _Unfit("BAD_DETAILS", f"holds an entry ({position}) that is not an object")
        parts: list[str] = []
        for name, prefix, write, required in fields:
            one = value.get(name)
            if one is not None:
                try:
                    parts.append(prefix + write(one))
                except _Unfit as unfit:
                    message = f"holds an entry ({position}) whose {name} {unfit.message}"
                    raise _Unfit("BAD_DETAILS", message) from None
            elif required:
                raise _Unfit("BAD_DETAILS", f"holds an entry ({position}) without {name}")
        if value.keys() <= known:
            return f"{{{','.join(parts)}}}"
        return _write_json({name: one for name, one in value.items() if one is not None})

    def write(value: Any) -> str:
        if value.__class__ is not list:
            raise _Unfit("BAD_DETAILS", "is not a list")
        return f"[{','.join([entry(position, one) for position, one in enumerate(value, start=1)])}]"

    return write


# Rules between fields -----------------------------------------------------------------------------------------------


_QUANTITIES = frozenset({"total_qty", "good_qty", "defect_qty"})
_DECIMALS = 6


def _with_exact_quantities(payload: Payload) -> Payload:
    """Decimal quantities without the dust of binary fractions, so that the database finds the same exact sum.

    0.3 - 0.1 is 0.19999999999999998, and a fact whose quantities do not add up exactly would hold its whole day back.
    """
    total, good, bad = payload.get("total_qty"), payload.get("good_qty"), payload.get("defect_qty")
    if total.__class__ is int and good.__class__ is int and bad.__class__ is int:
        return payload
    given = {"total_qty": total, "good_qty": good, "defect_qty": bad}
    kinds = {value.__class__ for value in given.values()}
    if float not in kinds or not kinds <= {int, float}:
        return payload
    values = cast("dict[str, float]", given)
    if not all(map(isfinite, values.values())):
        return payload
    rounded = {name: round(value, _DECIMALS) for name, value in values.items()}
    total, made = rounded["total_qty"], _decimal(rounded["good_qty"]) + _decimal(rounded["defect_qty"])
    if _decimal(total) != made and abs(float(made) - total) <= _TOLERANCE + 1e-9 * abs(total):
        rounded["total_qty"] = float(made)
    return {**payload, **rounded}


def _decimal(value: float) -> Decimal:
    return Decimal(repr(value))


def _good_and_defect_make_total(payload: Payload) -> None:
    total = payload["total_qty"]
    good, bad = payload["good_qty"], payload["defect_qty"]
    if total == good + bad and total.__class__ is int:
        return
    made = _decimal(good) + _decimal(bad)
    if made != _decimal(total):
        raise InvalidRecord(
            "TOTAL_MISMATCH",
            "total_qty",
            total,
            f"total_qty is {total}, but good_qty {good} and defect_qty {bad} make {made}.",
        )


def _ends_after(start: str, end: str) -> Callable[[Payload], None]:
    def rule(payload: Payload) -> None:
        last = payload.get(end)
        if last is not None and datetime.fromisoformat(last) < datetime.fromisoformat(payload[start]):
            raise InvalidRecord("END_BEFORE_START", end, last, f"{end} {last} is before {start} {payload[start]}.")

    return rule


def _delivery_is_told_whole(payload: Payload) -> None:
    if payload.get("delivered_date") is not None and payload.get("delivered_qty") == 0:
        raise InvalidRecord(
            "DELIVERED_NOTHING",
            "delivered_qty",
            0,
            f"delivered_date is {payload['delivered_date']}, but delivered_qty is 0.",
        )


_RULES: Mapping[str, tuple[Callable[[Payload], None], ...]] = {
    "work_order": (_good_and_defect_make_total, _ends_after("start_time", "end_time")),
    "order": (_delivery_is_told_whole,),
    "equipment_event": (_ends_after("timestamp", "end_timestamp"),),
}

_PLAINLY_KEEPS_RULES: Mapping[str, Callable[[Any], bool]] = {
    "work_order": lambda record: (
        record.total_qty == record.good_qty + record.defect_qty
        and record.total_qty.__class__ is int
        and record.start_time <= record.end_time
    ),
    "order": lambda record: record.delivered_date is None or record.delivered_qty != 0,
    "equipment_event": lambda record: record.end_timestamp is None or record.timestamp <= record.end_timestamp,
}
"""The same rules for records with moments for times: true where none of them is broken, false where one may be."""
