"""SQL of core.rejected_record: rows that could not be used, until they are mended or dismissed."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
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
    message, original, columns, status, resolved_at, source_pk, source_version, created_at
)
select
    %(tenant_id)s, %(load_id)s, %(source_system)s, %(record_type)s, %(mapping_name)s, %(source_name)s, number, code,
    field, value, message, text, %(columns)s, %(status)s, case when %(status)s = 'dismissed' then clock_timestamp() end,
    source_pk, source_version, coalesce(%(arrived_at)s, clock_timestamp())
from unnest(
    %(numbers)s::bigint[], %(codes)s::text[], %(fields)s::text[], %(values)s::text[], %(messages)s::text[],
    %(texts)s::text[], %(keys)s::text[], %(versions)s::bigint[]
) as t(number, code, field, value, message, text, source_pk, source_version)
"""
STAY: Final = """
update core.rejected_record as old
set reason_code = new.code, field = new.field, value = new.value, message = new.message, original = new.text,
    mapping_name = %(mapping_name)s, source_pk = new.source_pk, source_version = new.source_version
from unnest(
    %(ids)s::uuid[], %(codes)s::text[], %(fields)s::text[], %(values)s::text[], %(messages)s::text[], %(texts)s::text[],
    %(keys)s::text[], %(versions)s::bigint[]
) as new(id, code, field, value, message, text, source_pk, source_version)
where old.id = new.id
"""
RESOLVE: Final = """
update core.rejected_record
set status = 'retried', resolved_at = clock_timestamp(), resolved_load_id = %(load_id)s
where id = any(%(ids)s)
"""
# rejected_record_key_idx: nearly always there is none, and a load ends with this question alone.
ANY_OPEN: Final = """
select exists (
    select from core.rejected_record
    where tenant_id = %(tenant_id)s and record_type = %(record_type)s and status = 'open' and source_pk is not null
)
"""
# The record is stored in a version that is newer than the rejected row: of a higher number, or of the same and later.
# A row without a number of its own has the moment of its arrival for one, in microseconds, as landing does.
_NEWER: Final = """
    and (
        known.source_version > coalesce(reject.source_version, extract(epoch from reject.created_at) * 1000000)
        or known.source_version = coalesce(reject.source_version, extract(epoch from reject.created_at) * 1000000)
            and (known.received_at, known.source_row) > (reject.created_at, reject.source_row)
    )
"""
_OVERTAKE: Final = """
update core.rejected_record as reject
set status = 'superseded', resolved_at = clock_timestamp(), resolved_load_id = %(load_id)s
"""
OVERTAKE_DATED: Final = (
    _OVERTAKE
    + """
from core.record_identity as known
where reject.tenant_id = %(tenant_id)s and reject.record_type = %(record_type)s and reject.status = 'open'
    and reject.source_system = %(source_system)s
    and known.tenant_id = %(tenant_id)s and known.record_type = %(record_type)s
    and known.source_system = %(source_system)s and known.source_pk = reject.source_pk
"""
    + _NEWER
)
OVERTAKE_MASTER: Final = (
    _OVERTAKE
    + """
from core.master_record as known
where reject.tenant_id = %(tenant_id)s and reject.record_type = %(record_type)s and reject.status = 'open'
    and known.tenant_id = %(tenant_id)s and known.record_type = %(record_type)s and known.source_pk = reject.source_pk
"""
    + _NEWER
)
PLACES_DATED: Final = """
select source_pk, source_version, source_row
from core.record_identity
where tenant_id = %(tenant_id)s and record_type = %(record_type)s and source_system = %(source_system)s
    and source_pk = any(%(keys)s)
"""
PLACES_MASTER: Final = """
select source_pk, source_version, source_row
from core.master_record
where tenant_id = %(tenant_id)s and record_type = %(record_type)s and source_pk = any(%(keys)s)
"""

_CHOICE: Final = """
    reject.tenant_id = %(tenant)s
    and (%(status)s::text is null or reject.status = %(status)s)
    and (%(load_id)s::uuid is null or reject.load_id = %(load_id)s)
    and (%(code)s::text is null or reject.reason_code = %(code)s)
    and (%(record_type)s::text is null or reject.record_type = %(record_type)s)
    and (%(ids)s::text[] is null or reject.id::text like any(%(ids)s::text[]))
"""
LIST: Final = (
    """
select
    reject.id,
    reject.load_id,
    reject.source_system,
    reject.record_type,
    reject.mapping_name,
    reject.source_name,
    reject.source_row,
    reject.reason_code,
    reject.field,
    reject.value,
    reject.message,
    reject.original,
    reject.columns,
    reject.status,
    reject.resolved_load_id,
    reject.created_at
from core.rejected_record as reject
where """
    + _CHOICE
    + """
order by reject.created_at desc, reject.source_name, reject.source_row
limit %(limit)s
"""
)
COUNTS: Final = (
    """
select reject.reason_code, count(*) from core.rejected_record as reject
where """
    + _CHOICE
    + """
group by reject.reason_code
order by 2 desc, 1
"""
)
DISMISS: Final = (
    """
update core.rejected_record as reject
set status = 'dismissed', resolved_at = clock_timestamp()
where status = 'open' and """
    + _CHOICE
)


class Reject(NamedTuple):
    """A row that could not be used, as it is kept; `columns` are those of a delimited line, else it is JSON."""

    id: UUID
    load_id: UUID
    source_system: str
    record_type: str
    mapping_name: str
    source_name: str
    source_row: int
    reason_code: str
    field: str | None
    value: str | None
    message: str
    original: str
    columns: list[str] | None
    status: str
    resolved_load_id: UUID | None
    created_at: datetime


def _beginning(id_: str) -> str:
    """A pattern for ids that begin so; of an empty text none does, or a slip would choose every reject."""
    return _WILDCARDS.sub(r"\\\g<0>", id_.strip().lower()) + "%" if id_.strip() else ""


@dataclass(frozen=True)
class Choice:
    """Which rejects are meant; what is None does not matter. `ids` may be the beginnings of ids."""

    ids: tuple[str, ...] | None = None
    load_id: UUID | None = None
    code: str | None = None
    record_type: str | None = None
    status: str | None = "open"

    def values(self, tenant: UUID) -> dict[str, Any]:
        """The parameters of a query."""
        beginnings = None if self.ids is None else [_beginning(one) for one in self.ids]
        return {
            "tenant": tenant,
            "ids": beginnings,
            "load_id": self.load_id,
            "code": self.code,
            "record_type": self.record_type,
            "status": self.status,
        }


_WILDCARDS = re.compile(r"[%_\\]")


def chosen(conn: psycopg.Connection, tenant: UUID, choice: Choice, *, limit: int | None) -> list[Reject]:
    """Rejects, the newest first."""
    return [Reject(*row) for row in conn.execute(LIST, choice.values(tenant) | {"limit": limit}, prepare=False)]


def counts(conn: psycopg.Connection, tenant: UUID, choice: Choice) -> dict[str, int]:
    """How many for each reason, the most frequent first."""
    return dict(conn.execute(COUNTS, choice.values(tenant), prepare=False).fetchall())


def dismiss(conn: psycopg.Connection, tenant: UUID, choice: Choice) -> int:
    """Nobody will mend these; returns how many were open until now."""
    return conn.execute(DISMISS, choice.values(tenant), prepare=False).rowcount


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


def overtake(conn: psycopg.Connection, load_id: UUID, request: LoadRequest, *, dated: bool) -> int:
    """Take rejects off the list whose record is stored in a newer version; returns how many."""
    values = {**asdict(request), "load_id": load_id}
    found = conn.execute(ANY_OPEN, values).fetchone()
    if found is None or not found[0]:
        return 0
    return conn.execute(OVERTAKE_DATED if dated else OVERTAKE_MASTER, values, prepare=False).rowcount


def places(
    conn: psycopg.Connection, request: LoadRequest, keys: Sequence[str], *, dated: bool
) -> dict[str, tuple[int, int]]:
    """Version and source row of each of these records that is stored."""
    values = {**asdict(request), "keys": list(keys)}
    rows: Iterable[tuple[str, int, int]] = conn.execute(PLACES_DATED if dated else PLACES_MASTER, values, prepare=False)
    return {key: (version, row) for key, version, row in rows}


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
        "keys": [_storable(one.source_pk) for one in rejections],
        "versions": [one.source_version for one in rejections],
        "arrived_at": request.first_arrived_at or request.arrived_at,
    }


def _storable(text: str | None) -> str | None:
    """The text as PostgreSQL can hold it: a NUL becomes its sign, half a character its escape."""
    if text is None:
        return None
    return text.replace("\0", "\u2400").encode("utf-8", "backslashreplace").decode()
