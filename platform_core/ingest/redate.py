"""Records whose production date moves because a zone, a line or a shift changed: corrections that nobody sent.

Whoever calls this holds the tenant's calendar, so no landing dates a record by the old one meanwhile.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from uuid import UUID

import psycopg

from platform_core.ingest.contracts import Payload
from platform_core.ingest.production_date import Calendar
from platform_core.ingest.record_types import RECORD_TYPES, RecordType
from platform_core.ingest.records import SHIFT_DERIVED, Preparer
from platform_core.ingest.store import redate as store
from platform_core.ingest.store.redate import Moved, Stored, Whole
from platform_core.ingest.validation import InvalidRecord
from platform_core.warehouse.connection import Warehouse, transaction
from platform_core.warehouse.maintenance import ensure_partitions

_CHUNK = 5_000

BY_TIME = tuple(
    kind
    for kind in RECORD_TYPES.values()
    if kind.date_field is not None and kind.fields[kind.date_field].type == "timestamp"
)
"""Record types whose date comes from a moment, and so from zones and shifts."""


@dataclass(frozen=True)
class Redater:
    """Moves current records of a tenant to the dates that `calendar` gives them.

    `redated` counts, by record type, those that have got another date.
    """

    warehouse: Warehouse
    tenant: UUID
    calendar: Calendar
    first_date: date
    now: datetime
    redated: Counter[str] = field(default_factory=Counter[str])

    def redate(
        self,
        conn: psycopg.Connection,
        kind: RecordType,
        *,
        load_id: UUID | None = None,
        lines: Sequence[str] | None = None,
    ) -> set[date]:
        """Correct the records of one type, of one load or some lines only; returns the dates whose facts change."""
        touched: set[date] = set()
        preparer = Preparer(kind, self.calendar, first_date=self.first_date, now=self.now)
        assert kind.date_field is not None, kind.name
        stored = store.current(conn, self.tenant, kind.name, kind.date_field, load_id=load_id, lines=lines)
        changed = (one for one in stored if self._moves(kind, one))
        while chunk := list(islice(changed, _CHUNK)):
            moved = list(_moved(store.whole(conn, self.tenant, kind.name, chunk), preparer))
            if moved:
                self._ensure_partitions(moved)
                store.move(conn, self.tenant, kind.name, moved, self.now)
                self.redated[kind.name] += sum(one.old_date != one.business_date for one in moved)
                touched |= {one.old_date for one in moved} | {one.business_date for one in moved}
        return store.open_dates(conn, touched)

    def _moves(self, kind: RecordType, one: Stored) -> bool:
        has_shift = "shift" in kind.fields
        line_code = one.payload_line
        if line_code is None and one.equipment_code is not None:
            line_code = self.calendar.equipment_lines.get(one.equipment_code)
        told = None if one.shift_derived or not has_shift else one.shift
        placed = self.calendar.place(datetime.fromisoformat(one.moment), line_code=line_code, shift=told)
        derived = placed.shift if has_shift and told is None else None
        return (
            placed.date != one.business_date
            or line_code != one.line_code
            or (told is None and derived != (one.shift if has_shift else None))
        )

    def _ensure_partitions(self, moved: Sequence[Moved]) -> None:
        with transaction(self.warehouse) as conn:
            for month in sorted({one.business_date.replace(day=1) for one in moved}):
                ensure_partitions(conn, "core.erp_mes_data", month, month)


def _moved(records: Sequence[Whole], preparer: Preparer) -> Iterator[Moved]:
    for one in records:
        try:
            new = preparer.prepare(one.source_pk, _as_sent(one.raw_data))
        except InvalidRecord:
            continue  # the new date is out of bounds (before the first one held): it stays where it is
        if new.business_date is not None:
            yield Moved(
                one.source_system,
                one.source_pk,
                one.source_version,
                new.business_date,
                new.line_code,
                new.text,
                new.content_hash,
                one.load_id,
                one.source_row,
                one.business_date,
            )


def _as_sent(payload: Payload) -> Payload:
    """The payload without what landing had added."""
    if SHIFT_DERIVED not in payload:
        return payload
    return {name: value for name, value in payload.items() if name not in (SHIFT_DERIVED, "shift")}
