"""A mapping as one fast function: every decision that does not depend on the row is made once, here."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from platform_core.ingest.contracts import MappedRecord, Payload, Rejection, SourceRow
from platform_core.ingest.mapping.conversion import (
    Convert,
    convert_with_unit,
    converter,
    date_converter,
    version_converter,
)
from platform_core.ingest.mapping.errors import MappingError
from platform_core.ingest.mapping.origins import (
    Origin,
    expression_origin,
    first_with_value,
    joined,
    list_of_children,
    list_of_columns,
    list_of_text,
    source_getter,
)
from platform_core.ingest.mapping.refusing import ROW_ERRORS, NotAllowedError, Refuser, payload_names_read
from platform_core.ingest.mapping.schema import FieldSpec, Mapping
from platform_core.ingest.mapping.values import to_text

MapRow = Callable[[SourceRow], MappedRecord | Rejection]
_EXACT: dict[str, type[Any]] = {"text": str, "number": int, "integer": int, "boolean": bool, "json": list}
"""What a value may be to be taken as it is; a text without its surrounding spaces."""


class _Direct(NamedTuple):
    """The usual field: one source field, one conversion. A value of the usual type needs no call of `make`."""

    source: str
    usual: type[Any] | None
    empty: frozenset[str]
    make: Origin

    def __call__(self, fields: Any, payload: Any) -> Any:
        return self.make(fields, payload)


_Maker = tuple[str, str | None, type[Any] | None, frozenset[str], Origin]
"""A payload field, what _Direct says of it where it is a usual one, and the function that makes its value."""


def _maker(name: str, make: Origin) -> _Maker:
    if isinstance(make, _Direct):
        return (name, make.source, make.usual, make.empty, make.make)
    return (name, None, None, frozenset(), make)


def compile_mapping(mapping: Mapping, *, timezone: str) -> MapRow:
    """The function from a source row to a record or a rejection.

    Times without an offset are of the mapping's time zone, else of `timezone` (the tenant's). Raises MappingError.
    """
    zone = ZoneInfo(mapping.timezone or timezone)
    build = _Builder(mapping, zone)
    made = {name: build.maker(name, mapping.fields[name]) for name in payload_order(mapping)}
    makers = [_maker(name, make) for name, make in made.items()]
    version, business_date, key = build.version(), build.business_date(), build.key()
    return partial(_map_row, Refuser(mapping, build.origins, made, version, key), makers, version, business_date, key)


def _map_row(
    refuser: Refuser,
    makers: Sequence[_Maker],
    version: Origin | None,
    business_date: Origin | None,
    key: Callable[[Any, Any], str | None],
    row: SourceRow,
) -> MappedRecord | Rejection:
    fields = row.fields
    get = fields.get
    payload: Payload = {}
    name = ""
    try:
        for name, source, usual, empty, make in makers:
            if source is not None:
                value = get(source)
                if value is None:
                    continue
                if value.__class__ is usual and (usual is not str or value.isascii()):
                    if usual is str:
                        value = value.strip()
                        if value in empty:
                            continue
                    payload[name] = value
                    continue
            value = make(fields, payload)
            if value is not None:
                payload[name] = value
        name = "version"
        number = version(fields, payload) if version else None
        name = "business_date"
        day = business_date(fields, payload) if business_date else None
    except ROW_ERRORS as error:
        return refuser.refuse(row, name, payload, error)
    source_pk = key(fields, payload)
    if source_pk is None:
        return refuser.no_key(row)
    return MappedRecord(row.number, source_pk, number, payload, row.text, day)


def payload_order(mapping: Mapping) -> list[str]:
    """The payload's fields so that each comes after those its expression reads; raises MappingError for a circle."""
    reads = {name: payload_names_read(name, spec, mapping) for name, spec in mapping.fields.items()}
    ordered: list[str] = []
    while reads:
        ready = [name for name, names in reads.items() if not names - set(ordered)]
        if not ready:
            raise MappingError(f"{mapping.name}: the expressions of {', '.join(reads)} need one another.")
        ordered.extend(ready)
        for name in ready:
            del reads[name]
    return ordered


class _Builder:
    """Makes the functions of one mapping."""

    def __init__(self, mapping: Mapping, zone: ZoneInfo) -> None:
        self._mapping = mapping
        self._zone = zone
        self._empty = frozenset((*mapping.empty, ""))
        self._names = frozenset(mapping.fields)
        self.origins: dict[str, Origin] = {}

    def maker(self, field: str, spec: FieldSpec) -> Origin:
        """The function from (fields, payload) to the value of one payload field."""
        kind = spec.type or self._mapping.kind.fields[field].type
        self.origins[field] = self._origin(field, spec, kind)
        make = self._finish(field, spec, kind, self.origins[field])
        return make if spec.when is None else _only(expression_origin("", spec.when, self._names), make)

    def _origin(self, field: str, spec: FieldSpec, kind: str) -> Origin:
        if spec.expression is not None:
            decimal = spec.decimal or self._mapping.numbers.decimal
            return expression_origin(field, spec.expression, self._names, decimal)
        if spec.columns is not None or spec.columns_under is not None:
            return list_of_columns(field, spec, self._column_number(field, spec))
        if spec.text_list is not None:
            return list_of_text(field, spec, spec.text_list, self._entry_number(field, spec))
        if spec.items is not None:
            makers = [(name, self._child(name, child)) for name, child in spec.items.fields.items()]
            return list_of_children(spec.items, makers)
        if spec.join is not None:
            get = joined(spec.join, spec.separator, moment=kind in ("timestamp", "date") and spec.format is None)
        elif spec.from_ is not None:
            get = first_with_value(spec.from_, self._empty)
        else:
            constant = spec.constant
            return lambda fields, payload: constant
        return lambda fields, payload: get(fields)

    def _entry_number(self, field: str, spec: FieldSpec) -> Convert:
        entry = "minutes" if field == "downtime_reasons" else "qty"
        return converter(entry, "number", spec, self._mapping, self._zone)

    def _column_number(self, field: str, spec: FieldSpec) -> Callable[[Any, Any], Any]:
        if spec.unit_from is None:
            convert = self._entry_number(field, spec)
            return lambda value, fields: convert(value)
        unit_of = source_getter(spec.unit_from)
        decimal = spec.decimal or self._mapping.numbers.decimal
        return lambda value, fields: convert_with_unit("minutes", value, unit_of(fields), decimal)

    def _child(self, name: str, spec: FieldSpec) -> Origin:
        kind = spec.type or ("number" if name in ("qty", "minutes", "cost") else "text")
        return self._finish(name, spec, kind, self._origin(name, spec, kind))

    def _finish(self, field: str, spec: FieldSpec, kind: str, origin: Origin) -> Origin:
        """Empty texts, the value map, the conversion and the default, round an origin."""
        convert = converter(field, kind, spec, self._mapping, self._zone)
        if spec.columns is not None or spec.columns_under is not None or spec.text_list is not None or spec.items:
            return origin
        if spec.constant is not None:
            value = convert(spec.constant)
            return lambda fields, payload: value
        empty = frozenset((*spec.empty, "")) if spec.empty is not None else self._empty
        if spec.unit_from is not None:
            return self._with_unit(field, spec, origin)
        if spec.values is not None:
            convert = _value_map(spec, convert)
        if spec.after is not None:
            return _next_day(origin, convert, spec.after, empty)
        default = convert(spec.default) if spec.default is not None else None
        if default is None and spec.from_ is not None and len(spec.from_) == 1 and "." not in spec.from_[0]:
            plain = spec.values is None and spec.scale is None and spec.unit is None
            return _direct(spec.from_[0], convert, empty, kind if plain and not spec.format else "")

        def make(fields: Any, payload: Any) -> Any:
            value = origin(fields, payload)
            if value is None or (isinstance(value, str) and value.strip() in empty):
                return default
            found = convert(value)
            return default if found is None else found

        return make

    def _with_unit(self, field: str, spec: FieldSpec, origin: Origin) -> Origin:
        unit_of = source_getter(spec.unit_from or "")
        decimal = spec.decimal or self._mapping.numbers.decimal
        return lambda fields, payload: convert_with_unit(field, origin(fields, payload), unit_of(fields), decimal)

    def version(self) -> Origin | None:
        """The function to the version's number."""
        spec = self._mapping.version
        if spec is None:
            return None
        self.origins["version"] = self._origin("version", spec, "timestamp" if spec.type != "integer" else "integer")
        convert = version_converter(spec.type, spec, self._zone)
        return self._plain(self.origins["version"], convert)

    def business_date(self) -> Origin | None:
        """The function to the business date, where the mapping names one."""
        spec = self._mapping.business_date
        if spec is None:
            return None
        self.origins["business_date"] = self._origin("business_date", spec, "date")
        zone = ZoneInfo(spec.timezone) if spec.timezone else self._zone
        to_text_date = date_converter(spec, zone)

        def to_date(value: Any) -> date | None:
            text = to_text_date(value)
            return date.fromisoformat(text) if text else None

        return self._plain(self.origins["business_date"], to_date)

    def _plain(self, origin: Origin, convert: Convert) -> Origin:
        empty = self._empty

        def make(fields: Any, payload: Any) -> Any:
            value = origin(fields, payload)
            return None if value is None or (isinstance(value, str) and value.strip() in empty) else convert(value)

        return make

    def key(self) -> Callable[[Any, Any], str | None]:
        """The function to source_pk; None when a part of the key is missing."""
        mapping = self._mapping
        names = mapping.key or mapping.kind.key
        parts: list[Callable[[Any, Any], Any]] = [self._key_part(name) for name in names]
        # Only a default key may have parts that a record need not carry (valid_from of a shift).
        may_lack = [mapping.key is None and not mapping.kind.fields[name].required for name in names]
        if len(parts) == 1:
            only = parts[0]
            return lambda fields, payload: to_text(only(fields, payload))

        def make(fields: Any, payload: Any) -> str | None:
            texts: list[str] = []
            for part, optional in zip(parts, may_lack, strict=True):
                text = to_text(part(fields, payload))
                if text is None:
                    if not optional:
                        return None
                    text = ""
                texts.append(text.replace("\\", "\\\\").replace("|", "\\|") if "|" in text or "\\" in text else text)
            return "|".join(texts)

        return make

    def _key_part(self, name: str) -> Callable[[Any, Any], Any]:
        if name in self._names or self._mapping.key is None:
            return lambda fields, payload: payload.get(name)
        get = source_getter(name)
        return lambda fields, payload: get(fields)


def _direct(name: str, convert: Convert, empty: frozenset[str], kind: str) -> _Direct:
    """The usual field; the usual types first, since this runs for every value."""

    def make_text(fields: Any, payload: Any) -> str | None:
        found = to_text(fields.get(name))
        return None if found in empty else found

    def make(fields: Any, payload: Any) -> Any:
        value = fields.get(name)
        if value is None or value.__class__ is usual:
            return value
        if value.__class__ is str and (not value or value in empty or value.strip() in empty):
            return None
        return convert(value)

    def make_time(fields: Any, payload: Any) -> Any:
        value = fields.get(name)
        # 2025-03-01T08:00:00+09:00, as an MES sends it, is what is wanted.
        if value.__class__ is str and len(value) == 25 and value[10] == "T" and value not in empty:
            try:
                if datetime.fromisoformat(value).tzinfo is not None:
                    return value
            except ValueError:
                pass
        return make(fields, payload)

    usual = _EXACT.get(kind)
    return _Direct(name, usual, empty, {"text": make_text, "timestamp": make_time}.get(kind, make))


def _only(test: Origin, make: Origin) -> Origin:
    return lambda fields, payload: make(fields, payload) if test(fields, payload) else None


def _next_day(origin: Origin, convert: Convert, after: str, empty: frozenset[str]) -> Origin:
    """A time that is moved a day on when it is not after another payload time."""

    def make(fields: Any, payload: Any) -> Any:
        value = origin(fields, payload)
        if value is None or (isinstance(value, str) and value.strip() in empty):
            return None
        found, start = convert(value), payload.get(after)
        if found is None or start is None or datetime.fromisoformat(found) > datetime.fromisoformat(start):
            return found
        return (datetime.fromisoformat(found) + timedelta(days=1)).isoformat()

    return make


def _value_map(spec: FieldSpec, convert: Convert) -> Convert:
    known = {
        key.casefold().strip(): None if value is None else convert(value) for key, value in (spec.values or {}).items()
    }
    return partial(_mapped, known, spec.otherwise, convert)


def _mapped(known: dict[str, Any], otherwise: str, convert: Convert, value: Any) -> Any:
    text = (to_text(value) or "").casefold()
    if text in known:
        return known[text]
    if otherwise == "reject":
        raise NotAllowedError("is none of the values that the mapping knows")
    return convert(value) if otherwise == "keep" else None
