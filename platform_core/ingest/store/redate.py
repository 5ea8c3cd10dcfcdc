"""SQL that moves stored records to another production date."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import psycopg

# erp_mes_data_date_idx; records whose mapping named the date stay where they are.
CURRENT: Final = """
select
    source_system,
    source_pk,
    business_date,
    line_code,
    raw_data ->> 'line_code',
    raw_data ->> 'equipment_code',
    raw_data ->> %(date_field)s,
    raw_data ->> 'shift',
    raw_data ? '_shift_derived'
from core.erp_mes_data
where tenant_id = %(tenant)s and record_type = %(record_type)s and is_current
    and not raw_data ? '_date_given'
    and (%(load_id)s::uuid is null or load_id = %(load_id)s::uuid)
    and (%(lines)s::text[] is null or line_code = any(%(lines)s::text[]))
"""
WHOLE: Final = """
select stored.source_system, stored.source_pk, stored.source_version, stored.business_date, stored.raw_data,
    stored.load_id, stored.source_row
from unnest(%(systems)s::text[], %(keys)s::text[], %(dates)s::date[]) as wanted(source_system, source_pk, business_date)
join core.erp_mes_data as stored
    on stored.tenant_id = %(tenant)s and stored.record_type = %(record_type)s
    and stored.source_system = wanted.source_system and stored.source_pk = wanted.source_pk
    and stored.business_date = wanted.business_date and stored.is_current
"""
# The new version keeps the source's version, load and row, so that its trace leads to the same line of the same file.
MOVE: Final = """
with moved as (
    select *
    from unnest(
        %(systems)s::text[], %(keys)s::text[], %(versions)s::bigint[], %(dates)s::date[], %(lines)s::text[],
        %(texts)s::jsonb[], %(hashes)s::bytea[], %(loads)s::uuid[], %(rows)s::bigint[], %(old_dates)s::date[]
    ) as t(
        source_system, source_pk, source_version, business_date, line_code, raw_data, content_hash, load_id, source_row,
        old_date
    )
),
retired as (
    update core.erp_mes_data as old
    set is_current = false
    from moved
    where old.tenant_id = %(tenant)s and old.record_type = %(record_type)s
        and old.source_system = moved.source_system and old.source_pk = moved.source_pk
        and old.business_date = moved.old_date and old.is_current
),
identified as (
    update core.record_identity as known
    set business_date = moved.business_date, content_hash = moved.content_hash, received_at = %(now)s
    from moved
    where known.tenant_id = %(tenant)s and known.record_type = %(record_type)s
        and known.source_system = moved.source_system and known.source_pk = moved.source_pk
)
insert into core.erp_mes_data (
    tenant_id, source_system, record_type, source_pk, source_version, business_date, line_code, raw_data, content_hash,
    received_at, load_id, source_row, is_current
)
select
    %(tenant)s, source_system, %(record_type)s, source_pk, source_version, business_date, line_code, raw_data,
    content_hash, %(now)s, load_id, source_row, true
from moved
"""
OPEN_DATES: Final = """
select day
from unnest(%(dates)s::date[]) as day
where not exists (
    select from core.archived_partition as archive
    where archive.attached_at is null and day between archive.first_date and archive.last_date
)
"""


class Stored(NamedTuple):
    """What a current record's date depends on; `moment` is the text of its date field."""

    source_system: str
    source_pk: str
    business_date: date
    line_code: str | None
    payload_line: str | None
    equipment_code: str | None
    moment: str
    shift: str | None
    shift_derived: bool


class Whole(NamedTuple):
    """A current record as it is stored."""

    source_system: str
    source_pk: str
    source_version: int
    business_date: date
    raw_data: dict[str, Any]
    load_id: UUID
    source_row: int


class Moved(NamedTuple):
    """A record as it is stored from now on, and the date that it leaves."""

    source_system: str
    source_pk: str
    source_version: int
    business_date: date
    line_code: str | None
    text: str
    content_hash: bytes
    load_id: UUID
    source_row: int
    old_date: date


def current(
    conn: psycopg.Connection,
    tenant: UUID,
    record_type: str,
    date_field: str,
    *,
    load_id: UUID | None,
    lines: Sequence[str] | None,
) -> Iterator[Stored]:
    """The tenant's current records, of one load or of some lines only, as the server hands them out."""
    values = {
        "tenant": tenant,
        "record_type": record_type,
        "date_field": date_field,
        "load_id": load_id,
        "lines": None if lines is None else list(lines),
    }
    with conn.cursor(name="takt_redate") as cursor:
        cursor.itersize = 10_000
        cursor.execute(CURRENT, values)
        for row in cursor:
            yield Stored(*row)


def whole(conn: psycopg.Connection, tenant: UUID, record_type: str, wanted: Sequence[Stored]) -> list[Whole]:
    """The same records with everything."""
    values = {
        "tenant": tenant,
        "record_type": record_type,
        "systems": [one.source_system for one in wanted],
        "keys": [one.source_pk for one in wanted],
        "dates": [one.business_date for one in wanted],
    }
    return [Whole(*row) for row in conn.execute(WHOLE, values, prepare=False)]


def move(conn: psycopg.Connection, tenant: UUID, record_type: str, moved: Sequence[Moved], now: datetime) -> None:
    """Store new versions in place of the old ones."""
    names = ("systems", "keys", "versions", "dates", "lines", "texts", "hashes", "loads", "rows", "old_dates")
    columns = {name: list(column) for name, column in zip(names, zip(*moved, strict=True), strict=True)}
    conn.execute(MOVE, {"tenant": tenant, "record_type": record_type, "now": now, **columns}, prepare=False)


def open_dates(conn: psycopg.Connection, dates: Iterable[date]) -> set[date]:
    """Those of the dates whose archive is not sealed."""
    return {row[0] for row in conn.execute(OPEN_DATES, {"dates": list(dates)})}
