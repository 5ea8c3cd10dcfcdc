"""SQL of core.rejected_record: rows that could not be used, until they are mended or dismissed."""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

import psycopg

from platform_core.ingest.contracts import LoadRequest, Rejection

# A file that is loaded again brings its bad rows again: the older entry of the same text and reason is done with.
SUPERSEDE: Final = """
update core.rejected_record as old
set status = 'retried', resolved_at = clock_timestamp(), resolved_load_id = %(load_id)s
from (
    select distinct md5(text) as digest, code from unnest(%(texts)s::text[], %(codes)s::text[]) as t(text, code)
) as new
where old.tenant_id = %(tenant_id)s and old.status = 'open' and md5(old.original) = new.digest
    and old.reason_code = new.code and old.source_system = %(source_system)s
    and old.record_type = %(record_type)s and old.load_id <> %(load_id)s
"""
INSERT: Final = """
insert into core.rejected_record (
    tenant_id, load_id, source_system, record_type, mapping_name, source_name, source_row, reason_code, field, value,
    message, original, columns, status, resolved_at
)
select
    %(tenant_id)s, %(load_id)s, %(source_system)s, %(record_type)s, %(mapping_name)s, %(source_name)s, number, code,
    field, value, message, text, %(columns)s, %(status)s, case when %(status)s = 'dismissed' then clock_timestamp() end
from unnest(
    %(numbers)s::bigint[], %(codes)s::text[], %(fields)s::text[], %(values)s::text[], %(messages)s::text[],
    %(texts)s::text[]
) as t(number, code, field, value, message, text)
"""
STAY: Final = """
update core.rejected_record as old
set reason_code = new.code, field = new.field, value = new.value, message = new.message, original = new.text,
    mapping_name = %(mapping_name)s
from unnest(
    %(ids)s::uuid[], %(codes)s::text[], %(fields)s::text[], %(values)s::text[], %(messages)s::text[], %(texts)s::text[]
) as new(id, code, field, value, message, text)
where old.id = new.id
"""
RESOLVE: Final = """
update core.rejected_record
set status = 'retried', resolved_at = clock_timestamp(), resolved_load_id = %(load_id)s
where id = any(%(ids)s)
"""


def insert(
    conn: psycopg.Connection, load_id: UUID, request: LoadRequest, rejections: Sequence[Rejection], *, dismissed: bool
) -> None:
    """Keep rows that could not be used; `dismissed` when the whole file was refused and will come again."""
    values = _columns(request, rejections) | {"load_id": load_id, "status": "dismissed" if dismissed else "open"}
    if not dismissed:
        conn.execute(SUPERSEDE, values, prepare=False)
    conn.execute(INSERT, values, prepare=False)


def stay(conn: psycopg.Connection, request: LoadRequest, ids: Sequence[UUID], rejections: Sequence[Rejection]) -> None:
    """Rejects that were tried again and still cannot be used: they keep their place, with the new reason."""
    conn.execute(STAY, _columns(request, rejections) | {"ids": list(ids)}, prepare=False)


def resolve(conn: psycopg.Connection, load_id: UUID, ids: Iterable[UUID]) -> None:
    """Rejects whose row is stored now."""
    conn.execute(RESOLVE, {"load_id": load_id, "ids": list(ids)})


def _columns(request: LoadRequest, rejections: Sequence[Rejection]) -> dict[str, Any]:
    return {
        "tenant_id": request.tenant_id,
        "source_system": request.source_system,
        "record_type": request.record_type,
        "mapping_name": request.mapping_name,
        "source_name": request.source_name,
        "columns": None if request.columns is None else list(request.columns),
        "numbers": [one.number for one in rejections],
        "codes": [one.code for one in rejections],
        "fields": [_storable(one.field) for one in rejections],
        "values": [_storable(one.value) for one in rejections],
        "messages": [_storable(one.message) for one in rejections],
        "texts": [_storable(one.text) for one in rejections],
    }


def _storable(text: str | None) -> str | None:
    """The text as PostgreSQL can hold it: a NUL becomes its sign, half a character its escape."""
    if text is None:
        return None
    return text.replace("\0", "\u2400").encode("utf-8", "backslashreplace").decode()
