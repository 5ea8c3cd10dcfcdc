"""Columns that a mapping would not read, and those of them that tell of records of another type.

A production report also holds what a list of products holds. Read as one, it lands without an error, and every quantity
is gone; so what a mapping leaves counts against it, not only what it finds.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache

from platform_core.ingest.mapping import Mapping, source_fields
from platform_core.ingest.readers.headers import folded
from platform_core.ingest.record_types import RECORD_TYPES
from platform_core.ingest.synonyms import vocabulary

_TELLING = {
    "work_order": (
        *("total_qty", "good_qty", "defect_qty", "rework_qty", "scrap_qty"),
        *("start_time", "end_time", "runtime_minutes", "downtime_minutes"),
    ),
    "order": ("order_qty", "delivered_qty", "delivery_date", "delivered_date"),
    "inventory": ("stock_qty",),
    "equipment_event": ("timestamp", "end_timestamp"),
}
"""What makes a record the record that it is; codes and names stand in every table."""
_UNIT = re.compile(r"[(\[][^()\[\]]*[)\]]\s*$")
_UNNAMED = re.compile(r"column [A-Z]+")


def unread(mapping: Mapping, headers: Iterable[str]) -> tuple[str, ...]:
    """The named columns that a mapping neither reads nor says it ignores."""
    read = {folded(name.split(".")[0]) for name in (*source_fields(mapping), *mapping.ignored)}
    groups = [folded(group) for spec in mapping.fields.values() for group in spec.columns_under or ()]
    return tuple(
        name
        for name in headers
        if name
        and not _UNNAMED.fullmatch(name)
        and folded(name) not in read
        and folded(name.rsplit(" ", 1)[-1]) not in read
        and not any(folded(name).startswith(group) for group in groups)
    )


def foreign(record_type: str, columns: Sequence[str]) -> tuple[str, ...]:
    """Those of the columns that a record of this type has no place for and one of another type is made of.

    A dated record is known by what it must have, so one such column is chance there; a list (of products, of lines)
    is made of a code and a name, which any table may hold.
    """
    own = _names(record_type)
    found: dict[str, list[str]] = {}
    for column in columns:
        name = _plain(column)
        if name in own:
            continue
        for other, fields in _TELLING.items():
            if other != record_type and name in _names(other, fields):
                found.setdefault(other, []).append(column)
    least = 2 if RECORD_TYPES[record_type].dated else 1
    told = {column for many in found.values() if len(many) >= least for column in many}
    return tuple(column for column in columns if column in told)


@cache
def _names(record_type: str, fields: tuple[str, ...] | None = None) -> frozenset[str]:
    """What the fields of a record type, all or these, are called."""
    known = vocabulary().synonyms.get(record_type, {})
    wanted = tuple(RECORD_TYPES[record_type].fields) if fields is None else fields
    return frozenset(_plain(name) for field in wanted for name in (field, *known.get(field, ())))


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-./]", "", folded(_UNIT.sub("", name)))
