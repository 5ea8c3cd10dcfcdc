"""What is read beside the numbers: how the models stand, which checks failed, targets, zones; all as the API role."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import psycopg

from platform_core.bi.contracts import DateRange, Doubt, ModelState, Publication, Statement
from platform_core.bi.store.statement import statement_sql
from platform_core.warehouse.store import sessions

# The first statement of the transaction: all that follows sees one moment.
_ONE_MOMENT: Final = "set transaction isolation level repeatable read"
_SESSION: Final = """
select set_config('takt.tenant', %(tenant)s, true), set_config('statement_timeout', %(milliseconds)s, true)
"""
# Served by partition_state (model, date).
CONTEXT = """
select 'newest' as kind, model as name, max(date) as day, null::numeric as number
from core.partition_state
where model = any(%(models)s) and rows > 0 and version > 0 and date > '1970-01-01'
group by model
union all
select 'zone', timezone, null, null from bi.v_dim_line where timezone is not null group by timezone
union all
select 'target', kpi_code, null, default_target from bi.v_dim_kpi where is_active and default_target is not null
"""
STATES = """
select model, date, state, version, rows, reason, published_at
from core.partition_state
where model = any(%(models)s) and (date between %(first)s and %(last)s or date = '1970-01-01')
union all
select model, date, 'dirty', 0, 0, reason, null
from core.dirty_partition
where model = any(%(models)s) and (date between %(first)s and %(last)s or date = '1970-01-01')
"""
# A check is still broken on a date when no later run has looked at that date again and found nothing.
FAILED_CHECKS = """
select broken.model, broken.check_name, broken.date, broken.severity, broken.failed_row_count
from bi.data_quality_checks as broken
inner join bi.data_quality_rules as rule
    on rule.table_name = broken.model and rule.name = broken.check_name and rule.is_enabled
where broken.model = any(%(models)s)
    and broken.status <> 'pass'
    and broken.severity in ('warning', 'error', 'critical')
    and (broken.date between %(first)s and %(last)s or broken.date = '1970-01-01' or broken.date is null)
    and not exists (
        select from bi.data_quality_checks as later
        where later.model = broken.model
            and later.check_name = broken.check_name
            and later.tenant_id = broken.tenant_id
            and later.run_id is distinct from broken.run_id
            and later.executed_at > broken.executed_at
            and (
                later.metadata ->> 'first_date' is null
                or broken.date between
                    (later.metadata ->> 'first_date')::date and (later.metadata ->> 'last_date')::date
            )
    )
group by broken.model, broken.check_name, broken.date, broken.severity, broken.failed_row_count
order by broken.model, broken.check_name, broken.date
"""


@dataclass(frozen=True)
class Context:
    """What a request is understood in: newest date with rows by model, zones of the lines, targets by kpi_code."""

    newest: Mapping[str, date | None]
    zones: tuple[str, ...]
    targets: Mapping[str, Decimal]


def begin(conn: psycopg.Connection, tenant: UUID, lines: Sequence[str] | None, timeout_seconds: float) -> None:
    """Make the transaction see one moment, one tenant and its lines, and end a statement that takes too long."""
    conn.execute(_ONE_MOMENT)
    milliseconds = str(int(timeout_seconds * 1000))
    conn.execute(_SESSION, {"tenant": str(tenant), "milliseconds": milliseconds})
    if lines is not None:
        conn.execute(sessions.SET_LINES, {"lines": list(lines)})


def context(conn: psycopg.Connection, models: Sequence[str]) -> Context:
    """All that is needed to understand a request about these models, in one look."""
    newest: dict[str, date | None] = {}
    zones: list[str] = []
    targets: dict[str, Decimal] = {}
    for kind, name, day, number in conn.execute(CONTEXT, {"models": list(models)}):
        if kind == "newest":
            newest[name] = day
        elif kind == "zone":
            zones.append(name)
        else:
            targets[name] = number
    return Context(newest, tuple(zones), targets)


def states(
    conn: psycopg.Connection, models: Sequence[str], dates: DateRange, newest_dates: Mapping[str, date | None]
) -> Mapping[str, ModelState]:
    """How the models stand in a range. A failed date that had a good version before still holds that."""
    values = {"models": list(models), "first": dates.first, "last": dates.last}
    published: dict[str, dict[date, Publication]] = {name: {} for name in models}
    failed: dict[str, dict[date, str]] = {name: {} for name in models}
    dirty: dict[str, dict[date, str]] = {name: {} for name in models}
    for model, day, state, version, rows, reason, at in conn.execute(STATES.encode(), values):
        if state == "dirty":
            dirty[model][day] = reason
            continue
        if version > 0 or state == "published":
            published[model][day] = Publication(version, rows, at)
        if state == "failed":
            failed[model][day] = reason or "failed"
    return {name: ModelState(published[name], failed[name], dirty[name], newest_dates.get(name)) for name in models}


def failed_checks(conn: psycopg.Connection, models: Sequence[str], dates: DateRange) -> tuple[Doubt, ...]:
    """The checks that are broken on dates in the range, one doubt for each check."""
    values = {"models": list(models), "first": dates.first, "last": dates.last}
    found: dict[tuple[str, str, str], list[tuple[date | None, int]]] = {}
    for model, check, day, severity, count in conn.execute(FAILED_CHECKS.encode(), values):
        found.setdefault((model, check, severity), []).append((day, count))
    return tuple(
        Doubt(
            "check",
            model,
            tuple(day for day, _ in hits if day is not None and day.year > 1970),
            f"{check} ({severity}): {sum(count for _, count in hits)} rows",
        )
        for (model, check, severity), hits in found.items()
    )


def rows(conn: psycopg.Connection, written: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run a statement as `text` has written it."""
    return conn.execute(written.encode(), values).fetchall()


def text(statement: Statement) -> tuple[str, Mapping[str, Any]]:
    """A planned statement as it is run: SQL with placeholders, and their values."""
    query, values = statement_sql(statement)
    return query.as_string(None), values
