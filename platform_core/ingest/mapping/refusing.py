"""Rows that a mapping cannot use: why, which cell, and, where the rest of the row shows it, which record it was."""

from collections.abc import Callable, Mapping
from typing import Any

from platform_core.ingest.contracts import Payload, Rejection, SourceRow
from platform_core.ingest.mapping.expressions import parse_expression
from platform_core.ingest.mapping.functions import EvaluationError
from platform_core.ingest.mapping.origins import Origin, source_getter
from platform_core.ingest.mapping.schema import FieldSpec
from platform_core.ingest.mapping.schema import Mapping as MappingFile
from platform_core.ingest.record_types import stored_key

ROW_ERRORS = (ValueError, ArithmeticError, TypeError, EvaluationError, RecursionError)
"""What a value that does not fit may raise; the message names it."""


_BIGINT = 2**63


class NotAllowedError(ValueError):
    """A value that the mapping's `values` does not know, where it says `otherwise: reject`."""


class Refuser:
    """Makes the rejections of one mapping."""

    def __init__(
        self,
        mapping: MappingFile,
        origins: Mapping[str, Origin],
        makers: Mapping[str, Origin],
        version: Origin | None,
        key: Callable[[Any, Any], str | None],
    ) -> None:
        self._mapping, self._origins, self._makers = mapping, origins, makers
        self._version, self._key = version, key
        specs = {"version": mapping.version, "business_date": mapping.business_date, **mapping.fields}
        self._specs = {name: spec for name, spec in specs.items() if spec is not None}
        self._reads = {name: payload_names_read(name, spec, mapping) for name, spec in self._specs.items()}
        self._cells = {name: _cells_of(spec) for name, spec in self._specs.items()}
        own = mapping.key or mapping.kind.key
        self._parts = {*own, *(() if mapping.kind.dated else mapping.kind.key), *self._reads.get("version", ())}

    def refuse(self, row: SourceRow, field: str, payload: Payload, error: Exception) -> Rejection:
        """The rejection of a row whose field has no usable value."""
        spec = self._specs.get(field)
        try:
            value = self._origins[field](row.fields, payload)
        except ROW_ERRORS:
            value = None
        shown = str(value)[:500] if value is not None else self._shown(field, row, payload)
        said = str(error) or type(error).__name__
        source = _source_of(spec)
        about = f"{field} (from {source})" if source else field
        message = f"{about}: {said}." if shown is None else f"{about}: {shown!r} {said}."
        key, version = self._identity(row, field)
        return Rejection(row.number, _code(field, spec, error), field, shown, message, row.text, key, version)

    def no_key(self, row: SourceRow) -> Rejection:
        """The rejection of a row that lacks a part of its key."""
        names = self._mapping.key or self._mapping.kind.key
        message = f"The record has no key: {', '.join(names)} must all have a value."
        return Rejection(row.number, "NO_KEY", names[0], None, message, row.text)

    def _identity(self, row: SourceRow, field: str) -> tuple[str | None, int | None]:
        """Key and version of the record, from the fields that can be read; nothing where either is in doubt."""
        payload: Payload = {}
        failed = {field}
        for name, make in self._makers.items():
            if self._reads[name] & failed:
                failed.add(name)
            elif name not in failed:
                try:
                    value = make(row.fields, payload)
                except ROW_ERRORS:
                    failed.add(name)
                else:
                    payload.update({} if value is None else {name: value})
        if self._parts & failed or "version" in failed:
            return None, None
        kind = self._mapping.kind
        try:
            version = self._version(row.fields, payload) if self._version else None
            key = self._key(row.fields, payload) if kind.dated else stored_key(kind, payload)
        except ROW_ERRORS:
            return None, None
        is_storable = version is None or -_BIGINT <= version < _BIGINT
        return (key, version) if is_storable else (None, None)

    def _shown(self, field: str, row: SourceRow, payload: Payload) -> str | None:
        """What stands in the cells that a field is made of, for a person to see which one is wrong."""
        found = {name: _value(name, row, payload) for name in self._cells.get(field, ())}
        texts = {name: str(value) for name, value in found.items() if value is not None and str(value).strip()}
        spec = self._specs.get(field)
        if len(texts) > 1 and spec is not None and spec.expression is not None:
            return ", ".join(f"{name} = {text}" for name, text in texts.items())[:500]
        return " ".join(texts.values())[:500] or None


def payload_names_read(field: str, spec: FieldSpec, mapping: MappingFile) -> set[str]:
    """The other payload fields that a field is made of."""
    names = {spec.after} if spec.after else set[str]()
    for text in (spec.expression, spec.when):
        if text is not None:
            names.update(parse_expression(text).names)
    return {name for name in names if name in mapping.fields and name != field}


def _cells_of(spec: FieldSpec) -> tuple[str, ...]:
    """The names that a field is made of, in the order in which the mapping says them."""
    if spec.expression is not None:
        return parse_expression(spec.expression).names
    if spec.text_list is not None:
        return (spec.text_list.from_,)
    return spec.from_ or spec.join or ()


def _value(name: str, row: SourceRow, payload: Payload) -> Any:
    cell = source_getter(name)(row.fields)
    return payload.get(name) if cell is None else cell


def _code(field: str, spec: FieldSpec | None, error: Exception) -> str:
    if field == "version":
        return "BAD_VERSION"
    if isinstance(error, NotAllowedError):
        return "NOT_ALLOWED"
    return "EXPRESSION_FAILED" if spec is not None and spec.expression is not None else "WRONG_TYPE"


def _source_of(spec: FieldSpec | None) -> str:
    if spec is None:
        return ""
    if spec.expression is not None:
        return spec.expression
    return ", ".join(spec.from_ or spec.join or ())
