"""The form of a mapping file; docs/mappings.md explains each key for a user."""

import hashlib
from typing import Annotated, Any, Literal, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, model_validator

from platform_core.ingest.readers.options import FileOptions, ReaderOptions, Strict
from platform_core.ingest.record_types import RECORD_TYPES, FieldType, RecordType

DURATION_UNITS = ("days", "hours", "minutes", "seconds", "milliseconds")
Unit = Literal["days", "hours", "minutes", "seconds", "milliseconds", "percent"]
NO_VALUE = ("", "-", "--", "N/A", "#N/A", "NULL", "null", "None")
"""Texts that mean no value, unless a mapping says otherwise."""


def _text_keys(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {_as_text(key): item for key, item in cast("dict[Any, Any]", value).items()}


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _checked_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"no such time zone: {value}") from error
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_more)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_one_or_more)]
ValueMap = Annotated[dict[str, Any], BeforeValidator(_text_keys)]
Zone = Annotated[str, BeforeValidator(_checked_zone)]
"""A name of the IANA list, for example Asia/Seoul."""


class TextList(Strict):
    """A text such as `치수:3; 외관:2` as a list."""

    from_: str = Field(alias="from")
    separator: str = ";"
    pair: str = ":"


class ChildRows(Strict):
    """A list of objects inside a JSON record, each with its own fields."""

    from_: str = Field(alias="from")
    fields: "dict[str, Spec]"


class FieldSpec(Strict):
    """Where the value of one payload field comes from and what is done to it."""

    from_: Names | None = Field(default=None, alias="from")
    """A source field, a dotted path into JSON, or several of which the first with a value counts."""
    join: tuple[str, ...] | None = None
    """Source fields put together, such as a date and a time."""
    separator: str = " "
    constant: Any = None
    expression: str | None = None
    columns: ValueMap | None = None
    """A list built of columns: source column to the name of the entry."""
    columns_under: Names | None = None
    """The same with every column whose header begins with one of these; the rest of the header is the name."""
    text_list: TextList | None = None
    items: ChildRows | None = None
    names: tuple[str, str] | None = None
    """Keys of a built list's entries; known for defect_details and downtime_reasons."""

    type: FieldType | None = None
    values: ValueMap | None = None
    otherwise: Literal["keep", "empty", "reject"] = "keep"
    """What a value outside `values` becomes."""
    default: Any = None
    empty: Texts | None = None
    """Texts that mean no value, instead of the mapping's."""
    unit: Unit | None = None
    """The unit of the source; durations become the unit of the payload field."""
    unit_from: str | None = None
    """The source field that names the unit of a duration."""
    scale: float | None = None
    format: Names | None = None
    """Forms of a date or time as strptime writes them, or epoch, epoch_ms."""
    timezone: Zone | None = None
    decimal: Literal[".", ","] | None = None
    when: str | None = None
    """An expression; the field has a value only where it is true."""
    after: str | None = None
    """A payload time; one that is not after it belongs to the next day, as the end of a night shift does."""

    @model_validator(mode="after")
    def _one_origin(self) -> "FieldSpec":
        origins = ("from_", "join", "constant", "expression", "columns", "columns_under", "text_list", "items")
        given = [name.rstrip("_") for name in origins if getattr(self, name) is not None]
        if not given and "constant" not in self.model_fields_set:
            raise ValueError(f"needs one of {', '.join(name.rstrip('_') for name in origins)}")
        if len(given) > 1 and set(given) != {"columns", "columns_under"}:
            raise ValueError(f"has {' and '.join(given)}, of which only one may be")
        if self.items is not None and self.values is not None:
            raise ValueError("has items and values; give `values` to the field of the child rows")
        if self.otherwise != "keep" and {"columns", "columns_under", "text_list"} & set(given):
            raise ValueError("has otherwise, which a built list does not know: a label that is not in values stays")
        return self


def _spec(value: Any) -> Any:
    return {"from": cast("Any", value)} if isinstance(value, str | list) else value


Spec = Annotated[FieldSpec, BeforeValidator(_spec)]


class Version(FieldSpec):
    """The record's change time, or a number that grows with each change."""

    type: Literal["timestamp", "date", "integer"] = "timestamp"  # pyright: ignore[reportIncompatibleVariableOverride]


class Numbers(Strict):
    """How numbers are written in the source."""

    decimal: Literal[".", ","] = "."


class Mapping(Strict):
    """One mapping file."""

    description: str = ""
    source_system: str = Field(min_length=1)
    record_type: str
    timezone: Zone | None = None
    reader: ReaderOptions = Field(default_factory=FileOptions)
    key: Names | None = None
    version: Annotated[Version, BeforeValidator(_spec)] | None = None
    business_date: Spec | None = None
    numbers: Numbers = Numbers()
    empty: Texts = NO_VALUE
    ignored: Names = ()
    """Columns that are left out on purpose: they neither speak against the mapping nor are told."""
    fields: dict[str, Spec]

    name: str = Field(default="", exclude=True)
    """The file's name without .yml; not written in the file."""
    digest: str = Field(default="", exclude=True)
    """SHA-256 of the file, in hex; not written in the file."""

    @model_validator(mode="after")
    def _known_fields(self) -> "Mapping":
        kind = RECORD_TYPES.get(self.record_type)
        if kind is None:
            raise ValueError(f"record_type: no record type `{self.record_type}`; there are {', '.join(RECORD_TYPES)}")
        unknown = [name for name in self.fields if name not in kind.fields]
        unknown += [spec.after for spec in self.fields.values() if spec.after and spec.after not in self.fields]
        if unknown:
            raise ValueError(f"fields: {kind.name} has no field {', '.join(unknown)}")
        missing = [name for name, field in kind.fields.items() if field.required and name not in self.fields]
        if missing:
            raise ValueError(f"fields: {kind.name} needs {', '.join(missing)}")
        return self

    @property
    def kind(self) -> RecordType:
        """The record type that the mapping fills."""
        return RECORD_TYPES[self.record_type]


def digest_of(text: str) -> str:
    """The digest of a mapping's text."""
    return hashlib.sha256(text.encode()).hexdigest()
