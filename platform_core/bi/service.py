"""Questions answered: planned, run as the API role in one snapshot, and returned with what stands behind them."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import psycopg

from dbt_like_sql.semantics.model import SemanticModel
from platform_core.bi.contracts import (
    ROW_CAP,
    TIMEOUT_SECONDS,
    Answer,
    Doubt,
    Explanation,
    Plan,
    Request,
)
from platform_core.bi.errors import NotTrustedError, PlanError, QueryTimeoutError
from platform_core.bi.planner.planning import dates_read, plan, scans_of, understand
from platform_core.bi.store import state as store
from platform_core.bi.trust import trust_of
from platform_core.tenants.contracts import Tenant
from platform_core.warehouse.connection import Role, Warehouse, transaction


@dataclass(frozen=True)
class Asker:
    """Who asks: a tenant, the lines that may be seen (None: all), and the language of labels."""

    tenant: Tenant
    lines: Sequence[str] | None = None
    language: str = "en"


def answer(
    warehouse: Warehouse,
    model: SemanticModel,
    request: Request,
    *,
    asker: Asker,
    now: datetime,
    cap: int | None = ROW_CAP,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Answer:
    """Run a request. At most `cap` rows come back (None: all), and `note` says when there were more.

    Raises what `explain` does, QueryTimeoutError, and NotTrustedError where the request demands trust.
    """
    with transaction(warehouse, role=Role.API, read_only=True) as conn:
        return answer_on(conn, model, request, asker=asker, now=now, cap=cap, timeout_seconds=timeout_seconds)


def answer_on(
    conn: psycopg.Connection,
    model: SemanticModel,
    request: Request,
    *,
    asker: Asker,
    now: datetime,
    cap: int | None = ROW_CAP,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Answer:
    """`answer` on a connection of the API role, of a pool for example, whose transaction has not begun yet."""
    with _one_moment(conn, asker, timeout_seconds):
        explanation = _explained(conn, model, request, asker, now, cap)
        _demand_trust(request, explanation)
        found = store.rows(conn, explanation.sql, explanation.parameters)
    rows = tuple(row[:-2] for row in found if not row[-2])
    totals = next((row[:-2] for row in found if row[-2]), None)
    total_rows = next((row[-1] for row in found if not row[-2]), 0)
    note = _note(request, len(rows), total_rows)
    return Answer(explanation.plan.columns, rows, totals, total_rows, note, explanation)


def explain(
    warehouse: Warehouse,
    model: SemanticModel,
    request: Request,
    *,
    asker: Asker,
    now: datetime,
    cap: int | None = ROW_CAP,
) -> Explanation:
    """How a request would be answered: models and why, SQL, trust; nothing is computed.

    Raises MetricNotFoundError, DimensionNotSharedError and RequestInvalidError.
    """
    with session(warehouse, asker, TIMEOUT_SECONDS) as conn:
        return _explained(conn, model, request, asker, now, cap)


@contextmanager
def session(warehouse: Warehouse, asker: Asker, timeout_seconds: float) -> Generator[psycopg.Connection]:
    """A read-only transaction of one moment as the API role; errors of the statement become ours."""
    with (
        transaction(warehouse, role=Role.API, read_only=True) as conn,
        _one_moment(conn, asker, timeout_seconds),
    ):
        yield conn


@contextmanager
def _one_moment(conn: psycopg.Connection, asker: Asker, timeout_seconds: float) -> Generator[None]:
    try:
        store.begin(conn, asker.tenant.id, asker.lines, timeout_seconds)
        yield
    except psycopg.errors.QueryCanceled as error:
        raise QueryTimeoutError(
            f"The numbers were not there after {timeout_seconds:g} seconds.",
            hint="Ask for a shorter range, a coarser grain or fewer dimensions.",
        ) from error
    except (psycopg.DataError, psycopg.ProgrammingError) as error:
        reason = (error.diag.message_primary or str(error)).strip()
        raise PlanError(f"The numbers cannot be computed: {reason}.") from error


def today_of(zones: Sequence[str], tenant: Tenant, now: datetime) -> date:
    """The date where the day is furthest on: of the tenant's zone and those of its lines."""
    return max(now.astimezone(ZoneInfo(zone)).date() for zone in {tenant.timezone, *zones})


def _explained(
    conn: psycopg.Connection, model: SemanticModel, request: Request, asker: Asker, now: datetime, cap: int | None
) -> Explanation:
    facts = {name: dataset.fact for name, dataset in model.datasets.items()}
    context = store.context(conn, list(facts.values()))
    today = today_of(context.zones, asker.tenant, now)
    ask = understand(
        model, request, newest={name: context.newest.get(fact) for name, fact in facts.items()}, today=today
    )
    slots, _, ranges = scans_of(model, ask)
    used = {dataset for dataset, _ in slots.by_scan()}
    models = sorted({source.model for name in used for source in model.datasets[name].sources})
    states = store.states(conn, models, dates_read(ranges), context.newest)
    planned = plan(model, ask, states, targets=context.targets, language=asker.language, limit=cap)
    sql, values = store.text(planned.statement)
    return Explanation(planned, sql, values, trust_of(planned, model, states, _checks(conn, planned, model), today))


def _checks(conn: psycopg.Connection, planned: Plan, model: SemanticModel) -> Mapping[str, list[Doubt]]:
    found: dict[str, list[Doubt]] = {}
    for choice in planned.choices:
        wanted = {choice.model, model.datasets[choice.dataset].fact}
        for doubt in store.failed_checks(conn, sorted(wanted), choice.dates):
            if doubt not in found.setdefault(doubt.model, []):
                found[doubt.model].append(doubt)
    return found


def _demand_trust(request: Request, explanation: Explanation) -> None:
    doubts = explanation.trust.doubts
    if not request.require_trusted or not doubts:
        return
    reasons = "; ".join(describe(doubt) for doubt in doubts)
    raise NotTrustedError(
        f"A trusted answer cannot be given: {reasons}.",
        hint="`takt status` shows what is to be mended, `takt refresh --dirty` makes dirty dates anew.",
    )


def describe(doubt: Doubt) -> str:
    """A doubt in a few words."""
    dates = f" on {doubt.dates[0]}" if doubt.dates else ""
    if len(doubt.dates) > 1:
        dates = f" on {len(doubt.dates)} dates from {doubt.dates[0]} to {doubt.dates[-1]}"
    return f"{doubt.model} {doubt.kind}{dates} ({doubt.reason})"


def _note(request: Request, shown: int, there: int) -> str | None:
    if shown >= there or (request.limit is not None and shown >= request.limit):
        return None
    return (
        f"{shown:,} of {there:,} rows: an answer holds at most {shown:,}. Ask for fewer dimensions, "
        "a coarser grain or a shorter range, or write it to a file."
    )
