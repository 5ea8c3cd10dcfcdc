"""A sound record checked and written as canonical JSON at once, in C, for what nearly every row is.

It never says what is wrong with a record: whatever it is not sure about it leaves to `validation`, which is slower and
knows. What it does write is, byte for byte, what `validation` would write.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from math import ceil
from typing import Annotated, Any, Literal

import msgspec

from platform_core.ingest.contracts import Payload
from platform_core.ingest.record_types import Field, FieldType

_SMALLEST = 1e-4
"""Below this Python and msgspec write a fraction differently."""
_LARGEST = 1e15
_END_OF_WHOLE = frozenset({b"0,", b"0}", b"0]"})
"""What follows the point of a whole number, for example of 5.0, which is to be written as 5."""
_CANONICAL_LENGTH = len("2026-03-09T08:00:00+09:00")

Quick = Callable[[Payload], tuple[str, Any] | None]
"""From a payload to its canonical JSON and the same record with moments for times; None when not sure."""


class UnsureFieldError(Exception):
    """A field of a kind that is only ever checked the slow way."""


def quick_writer(
    name: str,
    fields: Mapping[str, Field],
    details: Mapping[str, Mapping[str, Field]],
    *,
    text_limit: Callable[[str], int],
    largest: int,
) -> Quick | None:
    """The quick way for one record type, None where a field knows none. `details` are the fields of its lists."""
    types = _Types(details, text_limit, largest)
    try:
        shape = types.shape(name, fields)
    except UnsureFieldError:
        return None
    dates = tuple(field for field, told in fields.items() if told.type == "date")
    times = tuple(field for field, told in fields.items() if told.type == "timestamp")
    tidy = _tidier(times)
    convert, encode, refusals = msgspec.convert, msgspec.json.Encoder().encode, (msgspec.ValidationError, ValueError)

    def write(payload: Payload) -> tuple[str, Any] | None:
        for name in times:
            value = payload.get(name)
            if value is not None and not (
                value.__class__ is str and len(value) == _CANONICAL_LENGTH and "1000" <= value < "9000"
            ):
                return None
        for name in dates:
            value = payload.get(name)
            if value is not None and value.__class__ is not str:
                return None
        try:
            record = convert(payload, shape)
            raw = encode(record)
        except refusals:
            return None
        # To find one byte takes far less time than to find two.
        if b"." in raw or b"Z" in raw:
            raw = tidy(raw, payload)
        return None if raw is None else (raw.decode(), record)

    return write


def _tidier(times: Sequence[str]) -> Callable[[bytes, Payload], bytes | None]:
    """The function that mends JSON which msgspec writes otherwise than Python; its answer is None when it may not."""
    utc = re.compile(rf'("(?:{"|".join(times)})":"[^"Z]{{19}})Z"'.encode())

    def tidy(raw: bytes, payload: Payload) -> bytes | None:
        for after in raw.split(b".")[1:]:
            if after[:2] in _END_OF_WHOLE:
                return None
        if b"Z" in raw and b'Z"' in raw:
            raw = utc.sub(rb'\1+00:00"', raw)
            if b'Z"' in raw or any(str(payload.get(name)).endswith("-00:00") for name in times):
                return None
        return raw

    return tidy


class _Types:
    """The types that msgspec checks against, for the fields of one record type."""

    def __init__(
        self, details: Mapping[str, Mapping[str, Field]], text_limit: Callable[[str], int], largest: int
    ) -> None:
        self._details, self._text_limit, self._largest = details, text_limit, largest
        self._simple: Mapping[FieldType, Any] = {
            "boolean": bool,
            "date": date,
            "timestamp": Annotated[datetime, msgspec.Meta(tz=True)],
        }

    def shape(self, name: str, fields: Mapping[str, Field]) -> Any:
        """The type of an object with these fields, in their order, that leaves out what is null."""
        # A field may be called `pass`, which is no attribute.
        attributes = {field: f"{field}_" if field == "pass" else field for field in fields}
        told = [
            (attributes[field], self._type(field, of))
            if of.required
            else (attributes[field], self._type(field, of) | None, None)
            for field, of in fields.items()
        ]
        return msgspec.defstruct(
            name,
            told,
            rename={attribute: field for field, attribute in attributes.items()},
            kw_only=True,
            omit_defaults=True,
            forbid_unknown_fields=True,
            gc=False,
        )

    def _type(self, name: str, field: Field) -> Any:
        if name in self._details:
            return list[self.shape(name, dict(sorted(self._details[name].items())))]
        if field.type == "text" and name != "timezone":
            if field.values is not None:
                return Literal[field.values]
            return Annotated[str, msgspec.Meta(min_length=1, max_length=self._text_limit(name))]
        if field.type in ("number", "integer"):
            low = -self._largest if field.minimum is None else field.minimum
            whole = Annotated[int, msgspec.Meta(ge=ceil(low), le=self._largest)]
            fraction = Annotated[float, msgspec.Meta(ge=max(_SMALLEST, low), le=_LARGEST)]
            return whole if field.type == "integer" else whole | fraction
        if field.type not in self._simple:
            raise UnsureFieldError(name)
        return self._simple[field.type]
