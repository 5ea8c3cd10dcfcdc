"""SQL of core.dirty_partition: which (tenant, model, date) is to be made anew."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from platform_core.warehouse.contracts import UNDATED

# A mark that is there already gets a new generation, so that a publication that read before it does not clear it.
# Rows go in by (model order as given, date): every writer takes the rows' locks in that order, so none deadlock.
MARK = """
insert into core.dirty_partition as mark (tenant_id, model, date, reason, due_at)
select %(tenant)s, %(model)s, day, %(reason)s, coalesce(%(due_at)s, 'epoch'::timestamptz)
from (
    select distinct (changed.day + ahead) as day
    from unnest(%(dates)s::date[]) as changed(day), generate_series(0, %(lookback)s::integer) as ahead
    where changed.day + ahead
        <= greatest(changed.day, coalesce(%(today)s, (clock_timestamp() at time zone 'UTC')::date) + 1)
) as spread
order by day
on conflict (tenant_id, model, date) do update set
    generation = nextval('core.dirty_generation'),
    reason = excluded.reason,
    marked_at = clock_timestamp(),
    due_at = least(mark.due_at, excluded.due_at)
"""

# Served by dirty_partition (date, due_at).
DUE_DATES = """
select distinct date
from core.dirty_partition as mark
where due_at <= %(now)s and date <> %(undated)s
    and not exists (
        select from core.archived_partition as archive
        where archive.attached_at is null and mark.date between archive.first_date and archive.last_date
    )
order by date
"""

DUE_UNDATED = """
select distinct model from core.dirty_partition where due_at <= %(now)s and date = %(undated)s order by model
"""

GENERATIONS = """
select tenant_id, date, generation
from core.dirty_partition
where model = %(model)s and date = any(%(dates)s)
"""

CLEAR = """
delete from core.dirty_partition as mark
using jsonb_to_recordset(%(keys)s) as key(tenant_id uuid, date date, generation bigint)
where mark.model = %(model)s and mark.tenant_id = key.tenant_id and mark.date = key.date
    and mark.generation <= key.generation
"""

# The readers come in the project's order, so that every publication takes the marks' locks in one order.
SPREAD = """
insert into core.dirty_partition as mark (tenant_id, model, date, reason, due_at)
select %(tenant)s, reader.model, spread.day, %(reason)s, 'epoch'
from jsonb_to_recordset(%(readers)s) as reader(place integer, model text, lookback integer, undated boolean)
cross join lateral (
    select distinct case when reader.undated then %(undated)s else changed.day + ahead end as day
    from unnest(%(dates)s::date[]) as changed(day), generate_series(0, reader.lookback) as ahead
    where changed.day + ahead <= greatest(changed.day, %(today)s::date + 1)
) as spread
order by reader.place, spread.day
on conflict (tenant_id, model, date) do update set
    generation = nextval('core.dirty_generation'),
    reason = excluded.reason,
    marked_at = clock_timestamp(),
    due_at = least(mark.due_at, excluded.due_at)
"""

# Dates that another version of the model's code filled; the mark of a sealed one waits until it is attached.
MARK_CODE_CHANGE = """
insert into core.dirty_partition as mark (tenant_id, model, date, reason, due_at)
select tenant_id, model, date, 'the model changed', 'epoch'
from core.partition_state
where model = %(model)s and (%(whatever)s or code_version is distinct from %(code)s)
order by date, tenant_id
on conflict (tenant_id, model, date) do update set
    generation = nextval('core.dirty_generation'), due_at = least(mark.due_at, excluded.due_at)
"""

MARK_LIKE = """
insert into core.dirty_partition (tenant_id, model, date, reason, due_at)
select distinct tenant_id, %(model)s, date, 'the model is new', 'epoch'::timestamptz
from core.partition_state
where model = any(%(upstreams)s) and date <> %(undated)s and state = 'published'
order by date, tenant_id
on conflict (tenant_id, model, date) do nothing
"""

MARK_UNDATED = """
insert into core.dirty_partition as mark (tenant_id, model, date, reason, due_at)
select id, %(model)s, %(undated)s, 'the model changed', 'epoch' from core.tenants order by id
on conflict (tenant_id, model, date) do update set
    generation = nextval('core.dirty_generation'), due_at = least(mark.due_at, excluded.due_at)
"""


class Reader(NamedTuple):
    """A model that reads another one: how far a change spreads in it; `undated` for a mart."""

    model: str
    lookback: int
    undated: bool


def mark(
    conn: psycopg.Connection,
    *,
    tenant: UUID,
    model: str,
    dates: Sequence[date],
    reason: str,
    lookback: int,
    due_at: datetime | None,
    today: date | None,
) -> None:
    """Mark the dates, and `lookback` days after each, of one model."""
    values = {
        "tenant": tenant,
        "model": model,
        "dates": list(dates),
        "reason": reason,
        "lookback": lookback,
        "due_at": due_at,
        "today": today,
    }
    conn.execute(MARK, values)


def due_dates(conn: psycopg.Connection, now: datetime) -> tuple[date, ...]:
    """Dates that are due and not sealed, oldest first."""
    return tuple(day for (day,) in conn.execute(DUE_DATES, {"now": now, "undated": UNDATED}))


def due_undated(conn: psycopg.Connection, now: datetime) -> tuple[str, ...]:
    """Models without dates that are due."""
    return tuple(model for (model,) in conn.execute(DUE_UNDATED, {"now": now, "undated": UNDATED}))


def generations(conn: psycopg.Connection, model: str, dates: Sequence[date]) -> Mapping[tuple[UUID, date], int]:
    """The generation of each mark of the model on those dates."""
    rows = conn.execute(GENERATIONS, {"model": model, "dates": list(dates)})
    return {(tenant, day): generation for tenant, day, generation in rows}


def clear(conn: psycopg.Connection, model: str, generations: Mapping[tuple[UUID, date], int]) -> None:
    """Take marks away, each unless it was made anew after the generation given."""
    keys = [
        {"tenant_id": str(tenant), "date": day.isoformat(), "generation": generation}
        for (tenant, day), generation in generations.items()
    ]
    if keys:
        conn.execute(CLEAR, {"model": model, "keys": Jsonb(keys)})


def spread(
    conn: psycopg.Connection, tenant: UUID, dates: Sequence[date], readers: Sequence[Reader], reason: str, today: date
) -> None:
    """Mark a model's readers, in the order given, where a change on those dates reaches them."""
    if readers and dates:
        rows = [{"place": place, **reader._asdict()} for place, reader in enumerate(readers)]
        values = {
            "tenant": tenant,
            "readers": Jsonb(rows),
            "dates": list(dates),
            "undated": UNDATED,
            "reason": reason,
            "today": today,
        }
        conn.execute(SPREAD, values)


def mark_code_change(conn: psycopg.Connection, model: str, code: str, *, whatever: bool) -> None:
    """Mark the dates that other code filled; all dates with `whatever`."""
    conn.execute(MARK_CODE_CHANGE, {"model": model, "code": code, "whatever": whatever})


def mark_like(conn: psycopg.Connection, model: str, upstreams: Sequence[str]) -> None:
    """Mark a new model on every date that one of its upstreams holds."""
    conn.execute(MARK_LIKE, {"model": model, "upstreams": list(upstreams), "undated": UNDATED})


def mark_undated(conn: psycopg.Connection, model: str) -> None:
    """Mark a model without dates for every tenant."""
    conn.execute(MARK_UNDATED, {"model": model, "undated": UNDATED})
