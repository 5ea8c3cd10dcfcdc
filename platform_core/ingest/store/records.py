"""SQL that lands dated records: identity in core.record_identity, every version in core.erp_mes_data."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Final, NamedTuple
from uuid import UUID

import psycopg

from platform_core.ingest.versions import Known, Outcome

# Two loads of the same kind of record wait for one another here, so neither sees the other's work half done and no
# two of them can wait for each other's rows. The calendar is locked before a landing, always.
LOCK: Final = "select pg_advisory_xact_lock(hashtextextended(%(name)s, 0))"
LOCK_SHARED: Final = "select pg_advisory_xact_lock_shared(hashtextextended(%(name)s, 0))"

# COPY straight into a table with row security is refused, and the merge wants a set of rows: hence a TEMP table.
CREATE_INCOMING: Final = """
create temp table takt_incoming (
    source_row bigint not null,
    source_pk text not null,
    source_version bigint,
    business_date date,
    line_code text,
    raw_data jsonb not null,
    content_hash bytea not null,
    verdict text,
    settled_version bigint,
    settled_last boolean
) on commit drop
"""
EMPTY_INCOMING: Final = "truncate takt_incoming"
COPY_INCOMING: Final = """
copy takt_incoming (source_row, source_pk, source_version, business_date, line_code, raw_data, content_hash,
    verdict, settled_version, settled_last)
from stdin
"""
# The merge passes whole rows from one step to the next; 64 MB hold a batch in memory instead of on disk.
WORK_MEMORY: Final = "set local work_mem = '64MB'"

# One statement settles a batch: each row is compared with its identity (record_identity_pkey), what is new is stored,
# what it supersedes is retired (erp_mes_data_identity_idx, in the one partition that holds it), identity moves on.
# Rows of records that come several times in the batch carry their verdict already (see versions.py).
MERGE: Final = """
with compared as (
    select
        incoming.*,
        known.source_pk is not null as is_known,
        known.source_version as known_version,
        known.content_hash as known_hash,
        known.business_date as known_date,
        known.source_row as known_row,
        coalesce(
            incoming.settled_version, incoming.source_version, %(first_arrival)s::bigint,
            greatest(%(arrival)s, known.source_version)
        ) as version
    from takt_incoming as incoming
    left join core.record_identity as known
        on known.tenant_id = %(tenant)s and known.record_type = %(record_type)s
        and known.source_system = %(source_system)s and known.source_pk = incoming.source_pk
),
judged as (
    select
        compared.*,
        coalesce(
            compared.verdict,
            case
                when not compared.is_known then 'landed'
                when compared.source_version is null and compared.content_hash = compared.known_hash then 'unchanged'
                when compared.source_version is null and %(first_arrival)s::bigint is null then 'corrected'
                when compared.version > compared.known_version then 'corrected'
                when compared.version = compared.known_version and compared.content_hash = compared.known_hash
                    then 'unchanged'
                when exists (
                    select from core.erp_mes_data as stored
                    where stored.tenant_id = %(tenant)s and stored.record_type = %(record_type)s
                        and stored.source_system = %(source_system)s and stored.source_pk = compared.source_pk
                        and stored.business_date = compared.business_date
                        and stored.source_version = compared.version
                        and stored.content_hash = compared.content_hash
                ) then 'unchanged'
                when compared.source_version is null and compared.version = compared.known_version
                    and compared.source_row < compared.known_row then 'outdated'
                when compared.version = compared.known_version then 'corrected'
                else 'outdated'
            end
        ) as outcome
    from compared
),
settled as (
    select judged.*, coalesce(judged.settled_last, judged.outcome in ('landed', 'corrected')) as is_last from judged
),
stored as (
    insert into core.erp_mes_data (
        tenant_id, source_system, record_type, source_pk, source_version, business_date, line_code, raw_data,
        content_hash, received_at, load_id, source_row, is_current
    )
    select
        %(tenant)s, %(source_system)s, %(record_type)s, source_pk, version, business_date, line_code, raw_data,
        content_hash, %(received_at)s, %(load_id)s, source_row, is_last
    from settled
    where outcome <> 'unchanged'
),
retired as (
    update core.erp_mes_data as old
    set is_current = false
    from settled
    where settled.is_last and settled.is_known
        and old.tenant_id = %(tenant)s and old.record_type = %(record_type)s
        and old.source_system = %(source_system)s and old.source_pk = settled.source_pk
        and old.business_date = settled.known_date and old.is_current
),
identified as (
    insert into core.record_identity as known (
        tenant_id, source_system, record_type, source_pk, source_version, received_at, source_row, business_date,
        content_hash
    )
    select
        %(tenant)s, %(source_system)s, %(record_type)s, source_pk, version, %(received_at)s, source_row, business_date,
        content_hash
    from settled
    where is_last
    on conflict (tenant_id, record_type, source_system, source_pk) do update set
        source_version = excluded.source_version,
        received_at = excluded.received_at,
        source_row = excluded.source_row,
        business_date = excluded.business_date,
        content_hash = excluded.content_hash
),
counted as (
    select outcome, is_last, business_date, case when is_last then known_date end as left_date, count(*) as records
    from settled
    group by outcome, is_last, business_date, left_date
)
select
    outcome,
    is_last,
    business_date,
    left_date,
    exists (
        select from core.archived_partition as archive
        where archive.attached_at is null and counted.business_date between archive.first_date and archive.last_date
    ) as sealed,
    exists (
        select from core.archived_partition as archive
        where archive.attached_at is null and counted.left_date between archive.first_date and archive.last_date
    ) as left_sealed,
    records
from counted
"""

# record_identity_pkey
KNOWN: Final = """
select source_pk, source_version, content_hash, source_row
from core.record_identity
where tenant_id = %(tenant)s and record_type = %(record_type)s and source_system = %(source_system)s
    and source_pk = any(%(keys)s)
"""
# erp_mes_data_identity_idx
STORED: Final = """
select source_pk, source_version, content_hash
from core.erp_mes_data
where tenant_id = %(tenant)s and record_type = %(record_type)s and source_system = %(source_system)s
    and source_pk = any(%(keys)s)
"""


class Scope(NamedTuple):
    """Whose records: the part of a record's identity that one load shares."""

    tenant: UUID
    record_type: str
    source_system: str


class Arrival(NamedTuple):
    """What every row of a load shares: when it came, with which load, and when its file came first if that was before.

    The last is in microseconds, the version of a row whose source gives none.
    """

    received_at: datetime
    load_id: UUID
    first_arrival: int | None = None


class Settled(NamedTuple):
    """How many rows ended alike; `last` ones are current now and left `left_date` (None: were not known)."""

    outcome: Outcome
    last: bool
    business_date: date
    left_date: date | None
    sealed: bool
    left_sealed: bool
    records: int


def lock_landing(conn: psycopg.Connection, scope: Scope) -> None:
    """Wait for other landings of the same records; held until the transaction ends."""
    conn.execute(LOCK, {"name": f"takt.landing/{scope.tenant}/{scope.record_type}/{scope.source_system}"})


def lock_calendar(conn: psycopg.Connection, tenant: UUID, *, to_change: bool) -> None:
    """Keep lines and shifts as they are until the transaction ends, or keep out everyone who dates records by them."""
    conn.execute(LOCK if to_change else LOCK_SHARED, {"name": f"takt.calendar/{tenant}"})


def prepare_incoming(conn: psycopg.Connection) -> None:
    """Make the TEMP table of this transaction."""
    conn.execute(WORK_MEMORY)
    conn.execute(CREATE_INCOMING)


def copy_incoming(conn: psycopg.Connection, text: str, *, first: bool) -> None:
    """Fill the TEMP table with one batch, in COPY's text form."""
    if not first:
        conn.execute(EMPTY_INCOMING)
    with conn.cursor() as cursor, cursor.copy(COPY_INCOMING) as copy:
        copy.write(text)


def merge(conn: psycopg.Connection, scope: Scope, arrival: Arrival) -> list[Settled]:
    """Settle the batch in the TEMP table."""
    values = {
        **scope._asdict(),
        **arrival._asdict(),
        "arrival": microseconds(arrival.received_at),
    }
    # Never prepared: a generic plan would be made once, for the sizes of the first batch.
    return [Settled(*row) for row in conn.execute(MERGE, values, prepare=False)]


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 UTC: the version of a record whose source gives none."""
    return round(moment.timestamp() * 1_000_000)


def known(conn: psycopg.Connection, scope: Scope, keys: Sequence[str]) -> dict[str, Known]:
    """The current version of each of these records, and every version stored of it."""
    values = {**scope._asdict(), "keys": list(keys)}
    stored: dict[str, set[tuple[int, bytes]]] = {}
    rows: Iterable[tuple[str, int, bytes]] = conn.execute(STORED, values)
    for key, version, content_hash in rows:
        stored.setdefault(key, set()).add((version, content_hash))
    current: Iterable[tuple[str, int, bytes, int]] = conn.execute(KNOWN, values)
    return {
        key: Known(version, hashed, frozenset(stored.get(key, ())), number) for key, version, hashed, number in current
    }
