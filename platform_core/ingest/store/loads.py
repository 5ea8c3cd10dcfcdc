"""SQL of core.load: one row for each load, from its beginning to its end."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg

from platform_core.ingest.contracts import LoadRequest, Outcomes

# Whoever runs a load holds this session lock as long as it lives. The server drops it with the connection, so a load
# that is `running` and not locked belongs to a process that is gone.
HOLD: Final = "select pg_advisory_lock(hashtextextended('takt.load/' || %(load_id)s, 0))"
BEGIN: Final = """
insert into core.load (
    id, tenant_id, source_system, record_type, source_name, mapping_name, mapping_digest, retry_of, file_digest,
    arrived_at
)
values (%(load_id)s, %(tenant_id)s, %(source_system)s, %(record_type)s, %(source_name)s, %(mapping_name)s,
    %(mapping_digest)s, %(retry_of)s, %(file_digest)s, %(arrived_at)s)
"""
COUNT: Final = """
update core.load set
    rows_read = rows_read + %(rows_read)s,
    landed = landed + %(landed)s,
    corrected = corrected + %(corrected)s,
    unchanged = unchanged + %(unchanged)s,
    outdated = outdated + %(outdated)s,
    late_sealed = late_sealed + %(late_sealed)s,
    rejected = rejected + %(rejected)s
where id = %(load_id)s
"""
FINISH: Final = """
update core.load
set status = 'succeeded', warnings = %(warnings)s, finished_at = clock_timestamp()
where id = %(load_id)s
"""
FAIL: Final = """
update core.load
set status = 'failed', error = %(error)s, finished_at = clock_timestamp()
where id = %(load_id)s and status = 'running'
"""
FAIL_INTERRUPTED: Final = """
update core.load
set status = 'failed', finished_at = clock_timestamp(),
    error = 'The process that ran this load is gone. What the counts name has landed; '
        'load the source again for the rest.'
where id in (
    select id from core.load
    where status = 'running' and pg_try_advisory_xact_lock(hashtextextended('takt.load/' || id::text, 0))
)
returning id
"""
HAS_LANDED: Final = """
select exists (
    select from core.load
    where tenant_id = %(tenant_id)s and source_name = %(source_name)s and record_type = %(record_type)s
        and mapping_digest = %(mapping_digest)s and status = 'succeeded'
)
"""
# load_file_digest_idx
FIRST_ARRIVAL: Final = """
select min(arrived_at) from core.load
where tenant_id = %(tenant_id)s and file_digest = %(file_digest)s and mapping_name = %(mapping_name)s
    and mapping_digest = %(mapping_digest)s and status = 'succeeded'
"""
ROWS_OF_LAST: Final = """
select rows_read from core.load
where tenant_id = %(tenant)s and source_name = %(source_name)s and started_at >= %(since)s
order by started_at desc
limit 1
"""
WATERMARK: Final = """
select watermark from core.source_watermark where tenant_id = %(tenant)s and source_name = %(source_name)s
"""
MOVE_WATERMARK: Final = """
insert into core.source_watermark (tenant_id, source_name, watermark)
values (%(tenant)s, %(source_name)s, %(watermark)s)
on conflict (tenant_id, source_name) do update set watermark = excluded.watermark, updated_at = now()
"""


def begin(conn: psycopg.Connection, load_id: UUID, request: LoadRequest) -> None:
    """Store the load as running, and hold its lock on this session."""
    conn.execute(HOLD, {"load_id": str(load_id)})
    values: Mapping[str, Any] = {"load_id": load_id, **asdict(request)}
    conn.execute(BEGIN, values)


def count(conn: psycopg.Connection, load_id: UUID, outcomes: Outcomes) -> None:
    """Add to the load's counts."""
    conn.execute(COUNT, {"load_id": load_id, "rows_read": outcomes.rows_read, **asdict(outcomes)})


def finish(conn: psycopg.Connection, load_id: UUID, warnings: list[str]) -> None:
    """The load ended well."""
    conn.execute(FINISH, {"load_id": load_id, "warnings": warnings})


def fail(conn: psycopg.Connection, load_id: UUID, error: str) -> None:
    """The load ended badly; what its counts name stays."""
    conn.execute(FAIL, {"load_id": load_id, "error": error})


def fail_interrupted(conn: psycopg.Connection) -> list[UUID]:
    """End the loads whose process is gone."""
    return [row[0] for row in conn.execute(FAIL_INTERRUPTED)]


def has_landed(conn: psycopg.Connection, request: LoadRequest) -> bool:
    """Whether the same source with the same digest was loaded before, and ended well."""
    row = conn.execute(HAS_LANDED, asdict(request)).fetchone()
    return bool(row and row[0])


def first_arrival(conn: psycopg.Connection, request: LoadRequest) -> datetime | None:
    """When the same file came first by the same mapping and landed; None when it never did."""
    row = conn.execute(FIRST_ARRIVAL, asdict(request)).fetchone()
    return None if row is None else row[0]


def rows_of_last(conn: psycopg.Connection, *, tenant: UUID, source_name: str, since: datetime) -> int:
    """The rows that the newest load of a source has committed; 0 when none has begun since then."""
    values = {"tenant": tenant, "source_name": source_name, "since": since}
    row = conn.execute(ROWS_OF_LAST, values).fetchone()
    return 0 if row is None else int(row[0])


def watermark(conn: psycopg.Connection, *, tenant: UUID, source_name: str) -> str | None:
    """Where the last pull of an incremental source ended; None before the first."""
    row = conn.execute(WATERMARK, {"tenant": tenant, "source_name": source_name}).fetchone()
    return None if row is None else str(row[0])


def move_watermark(conn: psycopg.Connection, *, tenant: UUID, source_name: str, watermark: str) -> None:
    """Let the next pull go on from here."""
    conn.execute(MOVE_WATERMARK, {"tenant": tenant, "source_name": source_name, "watermark": watermark})
