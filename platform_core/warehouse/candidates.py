"""One range of one model: candidate, audit, and the replacement of each sound (tenant, date) in its own transaction."""

from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from threading import Event, Lock
from time import monotonic
from typing import Literal
from uuid import UUID

import psycopg

from platform_core.crash_points import crash_point
from platform_core.warehouse import attach, expectations, quality
from platform_core.warehouse.connection import autocommit
from platform_core.warehouse.contracts import CheckResult, ModelRun, TenantDate
from platform_core.warehouse.errors import CandidateLostError, ModelRunError, RowsNotComputableError
from platform_core.warehouse.runs import SHARED, Run, locked
from platform_core.warehouse.shapes import shape_of
from platform_core.warehouse.store import archive, changes, dirty, partitions
from platform_core.warehouse.store import publish as store
from platform_core.warehouse.store.publish import State

SIDE_BY_SIDE_FROM_ROWS = 20_000
"""From here on a second session replaces dates beside the first: an INSERT uses one core only."""

INDEX_FROM_ROWS = 20_000
"""Below it, reading the whole candidate for each date costs less than an index."""

OPEN_FOR = timedelta(hours=1)
"""How long the date of an event that has not ended stays as it is before it is made anew."""


@dataclass(frozen=True)
class _Before:
    """What stood there when the locks were taken: versions, marks, tenants, and which of the dates are sealed."""

    states: Mapping[TenantDate, State]
    generations: Mapping[TenantDate, int]
    sealed: tuple[date, ...]
    days: tuple[date, ...]
    keys: tuple[TenantDate, ...]
    """Tenants that are active, and dates: what is published even without a row."""
    tenants: tuple[UUID, ...]
    period: partitions.Period | None
    """The partition that the candidate may take the place of, as nothing else is in it; None: rows are copied."""

    def recorded(self, key: TenantDate) -> list[TenantDate]:
        """Under which tenants the key's state stands: a model without tenants has one for each of them."""
        return [(tenant, key[1]) for tenant in self.tenants] if key[0] == SHARED else [key]


@dataclass(frozen=True)
class _Audited:
    """A candidate and what the audit found in it."""

    name: str
    counts: Mapping[TenantDate, int]
    total: int
    """Rows of the candidate."""
    checks: tuple[CheckResult, ...]
    failed: Mapping[TenantDate, str]
    open: frozenset[TenantDate]


def publish(run: Run, days: Sequence[date]) -> ModelRun:
    """Make the dates of one range anew; raises RowsNotComputableError where a row makes the SELECT itself fail."""
    started = monotonic()
    with locked(run, days) as guard:
        before = _look(run, guard, days)
        if not before.days:
            return ModelRun(run.model.relation, run.run_id, 0, {}, {}, (), monotonic() - started, before.sealed)
        with _candidate(run, guard) as name:
            audited = _audit(run, guard, name, before)
            published = _replace_all(run, guard, audited, before)
        store.refresh_statistics(guard, run.model)
        with guard.transaction():  # waits for the disk, and so makes every publication before it durable
            quality.record(guard, run, audited.checks, {*published, *audited.failed})
        crash_point("checks.after_commit", run.model.relation)
    return ModelRun(
        model=run.model.relation,
        run_id=run.run_id,
        rows=sum(published.values()),
        published=published,
        failed=audited.failed,
        checks=audited.checks,
        seconds=monotonic() - started,
        sealed=before.sealed,
    )


def fail(run: Run, day: date, reason: str) -> ModelRun:
    """Record that one (tenant, date) could not be computed; it keeps its last good version."""
    started = monotonic()
    with locked(run, [day]) as guard:
        before = _look(run, guard, [day])
        failed = dict.fromkeys(before.keys, reason)
        with guard.transaction():
            _keep(guard, run, failed, before)
    return ModelRun(run.model.relation, run.run_id, 0, {}, failed, (), monotonic() - started)


def _look(run: Run, guard: psycopg.Connection, days: Sequence[date]) -> _Before:
    relation = run.model.relation
    # The marks first: what is marked after this is not in what is read after this, and stays marked.
    generations = dirty.generations(guard, relation, days)
    sealed = store.sealed(guard, days, run.model.spec.lookback_days) if run.model.is_dated else ()
    if sealed:
        archive.postpone(guard, relation, sealed)
    left = tuple(day for day in days if day not in sealed)
    tenants = (run.tenant,) if run.tenant else store.active_tenants(guard)
    keys = tuple((tenant, day) for day in left for tenant in (tenants if run.has_tenant else (SHARED,)))
    states = store.states(guard, relation, days)
    period = attach.replaceable(run, guard, left, states) if left and not sealed else None
    return _Before(states, generations, sealed, left, keys, tenants, period)


@contextmanager
def _candidate(run: Run, guard: psycopg.Connection) -> Generator[str]:
    """The name of a candidate, dropped at the end whatever happens, unless the server is gone: then it is swept."""
    name = run.candidate_name()
    store.lock_candidate(guard, name)
    try:
        yield name
    finally:
        if not guard.broken:
            store.drop_candidate(guard, name)


def _audit(run: Run, guard: psycopg.Connection, name: str, before: _Before) -> _Audited:
    counts, is_unique = _write(run, guard, name, before)
    total = sum(counts.values())
    crash_point("publish.after_candidate", run.model.relation)
    scope = expectations.Scope.of(name, before.keys, run.now, run.last_date)
    checks = expectations.evaluate(run.warehouse, guard, run.model, scope, total_rows=total, is_unique=is_unique)
    crash_point("publish.after_audit", run.model.relation)
    failed = quality.verdict(checks, set(counts) | set(before.keys))
    still_open = store.open_keys(guard, name) if _has(run, "is_open") else frozenset[TenantDate]()
    return _Audited(name, counts, total, checks, failed, still_open)


def _has(run: Run, column: str) -> bool:
    return any(known.name == column for known in run.model.spec.columns)


def _write(run: Run, guard: psycopg.Connection, name: str, before: _Before) -> tuple[Mapping[TenantDate, int], bool]:
    """Fill the candidate; returns its rows by tenant and date, and whether an index proves its grain unique."""
    parameters = run.parameters(before.days)
    dated = run.model.is_dated
    try:
        with guard.transaction():
            rows = store.create_candidate(
                guard,
                run.model,
                name,
                parameters,
                tenant=run.tenant,
                logged=before.period is not None,
            )
            is_unique = dated and rows >= INDEX_FROM_ROWS and attach.index(run, guard, name)
            counts = store.counts(guard, name, tenant=run.has_tenant, dated=dated)
    except psycopg.DataError as error:
        raise RowsNotComputableError(f"{run.model.relation} could not be computed: {_sentence(error)}") from error
    except (psycopg.ProgrammingError, psycopg.NotSupportedError) as error:
        raise ModelRunError(
            f"PostgreSQL refuses the SELECT of {run.model.path.name}: {_sentence(error)}",
            hint="Run takt init, if the models were changed; otherwise the model is wrong.",
        ) from error
    days = set(before.days)
    if strays := [key for key in counts if key[0] is None or key[1] not in days | set(before.sealed)]:
        raise ModelRunError(
            f"{run.model.relation} gives rows of {strays[0][1]} and tenant {strays[0][0]}, outside what was asked for.",
            hint="A dated model selects only rows between :from_date and :to_date, each with a tenant.",
        )
    return {(tenant, day): rows for (tenant, day), rows in counts.items() if tenant and day and day in days}, is_unique


def _sentence(error: psycopg.Error) -> str:
    return error.diag.message_primary or str(error).strip().split("\n", 1)[0]


def _replace_all(run: Run, guard: psycopg.Connection, audited: _Audited, before: _Before) -> Mapping[TenantDate, int]:
    """Publish every sound (tenant, date); returns the rows of each."""
    if before.period and not audited.failed and _exchange(run, guard, audited, before, before.period):
        return {key: audited.counts.get(key, 0) for key in _in_order({*audited.counts, *before.keys})}
    if run.model.is_dated:
        with guard.transaction():
            step = shape_of(run.model).step or "month"
            partitions.ensure(guard, run.model.relation, before.days[0], before.days[-1], step)
    keys = [key for key in _in_order({*audited.counts, *before.keys}) if key not in audited.failed]
    empty = [key for key in keys if not audited.counts.get(key) and not before.states.get(key, State()).rows]
    with guard.transaction():
        store.relax_commit(guard)
        _keep(guard, run, audited.failed, before)
        _record(guard, run, empty, {}, before)
        crash_point("publish.before_states", run.model.relation)
    unchanged = set(empty)
    _in_parallel(run, guard, audited, before, [key for key in keys if key not in unchanged])
    return {key: audited.counts.get(key, 0) for key in keys}


def _exchange(
    run: Run, guard: psycopg.Connection, audited: _Audited, before: _Before, period: partitions.Period
) -> bool:
    """Publish a whole sound partition in one transaction, without copying it; False when its readers leave no gap."""
    keys = _in_order({*audited.counts, *before.keys})
    if any(state.rows and key not in set(keys) for key, state in before.states.items()):
        return False  # rows of a tenant that is no longer active stay as they are
    try:
        with guard.transaction():
            attach.exchange(run, guard, audited.name, audited.total, period)
            _record(guard, run, keys, audited.counts, before)
            changed = [key for key in keys if audited.counts.get(key) or before.states.get(key, State()).rows]
            reason = f"{run.model.relation} was published"
            for tenant in sorted({tenant for tenant, _ in changed}):
                days = [day for owner, day in changed if owner == tenant]
                dirty.spread(guard, tenant, days, list(run.readers), reason, run.today)
            for key in audited.open:
                _mark_open(guard, run, key)
            crash_point("exchange.before_commit", run.model.relation)
    except psycopg.errors.LockNotAvailable:
        return False
    crash_point("exchange.after_commit", run.model.relation)
    return True


def _in_order(keys: set[TenantDate]) -> list[TenantDate]:
    return sorted(keys, key=lambda key: (key[1], key[0]))


def _in_parallel(
    run: Run, guard: psycopg.Connection, audited: _Audited, before: _Before, keys: Sequence[TenantDate]
) -> None:
    """Each key in a transaction of its own, where it pays in two sessions; the first error stops both and is raised."""
    left, turn, stop = iter(keys), Lock(), Event()

    def work(conn: psycopg.Connection) -> None:
        try:
            while not stop.is_set():
                with turn:
                    key = next(left, None)
                if key is None:
                    return
                replace_one(conn, run, audited, before, key, session="publish" if conn is guard else "beside")
        finally:
            stop.set()  # by now no key is left, or one has failed

    if len(keys) < 2 or sum(audited.counts[key] for key in keys if key in audited.counts) < SIDE_BY_SIDE_FROM_ROWS:
        work(guard)
        return
    with autocommit(run.warehouse) as second, ThreadPoolExecutor(1) as pool:
        beside = pool.submit(work, second)
        work(guard)
        beside.result()


def replace_one(
    conn: psycopg.Connection,
    run: Run,
    audited: _Audited,
    before: _Before,
    key: TenantDate,
    *,
    session: Literal["publish", "beside"] = "publish",
) -> None:
    """Publish one (tenant, date) in one transaction: its rows and state, its own mark off, its readers' marks on."""
    expected = audited.counts.get(key, 0)
    with conn.transaction():
        store.relax_commit(conn)
        touched = _touched_by(conn, run, audited.name, key, before)
        if before.states.get(key, State()).rows or not run.model.is_dated:
            store.delete(conn, run.model, key, tenant=run.has_tenant)
        if expected:
            table = run.model.relation
            rows = store.insert(conn, run.model, audited.name, key, tenant=run.has_tenant, table=table)
            if rows != expected:
                raise CandidateLostError(
                    f"{run.model.relation} of {key[1]} has {rows} rows to publish, but {expected} were audited.",
                    hint="The server was probably restarted in between; run the same again.",
                )
        _record(conn, run, [key], {key: expected}, before)
        for tenant, readers, dates in touched:
            dirty.spread(conn, tenant, dates, readers, f"{run.model.relation} was published", run.today)
        if key in audited.open:
            _mark_open(conn, run, key)
        crash_point(f"{session}.before_commit", run.model.relation)
    crash_point(f"{session}.after_commit", run.model.relation)


def _mark_open(conn: psycopg.Connection, run: Run, key: TenantDate) -> None:
    """An event that has not ended will be another row later, and may reach into the next day."""
    dirty.mark(
        conn,
        tenant=key[0],
        model=run.model.relation,
        dates=[key[1]],
        reason="an event is still open",
        lookback=1,
        due_at=run.now + OPEN_FOR,
        today=run.today,
    )


def _touched_by(
    conn: psycopg.Connection, run: Run, candidate: str, key: TenantDate, before: _Before
) -> list[tuple[UUID, list[dirty.Reader], list[date]]]:
    """By tenant the readers, in order, each with the dates on which the new rows change what it reads."""
    if run.model.is_dated:
        return [(key[0], list(run.readers), [key[1]])]
    return [
        (tenant, [reader], changes.dates(conn, run.model, run.project.models[reader.model], candidate, tenant))
        for reader in run.readers
        for tenant, _ in before.recorded(key)
    ]


def _record(
    conn: psycopg.Connection,
    run: Run,
    keys: Sequence[TenantDate],
    rows: Mapping[TenantDate, int],
    before: _Before,
) -> None:
    """State and own mark of published keys; raises when another run has published one of them meanwhile."""
    done = [
        (recorded, before.states.get(recorded, State()).version, rows.get(key, 0))
        for key in keys
        for recorded in before.recorded(key)
    ]
    if done and store.set_published(conn, run.model, run.run_id, done) != len(done):
        raise CandidateLostError(
            f"Another run published {run.model.relation} while this one was at it; this one's lock was lost.",
            hint="Run the same again.",
        )
    _clear(conn, run, [key for key, _, _ in done], before)


def _keep(conn: psycopg.Connection, run: Run, failed: Mapping[TenantDate, str], before: _Before) -> None:
    """Keys that keep their last good version; unmarked, as the same rows would only fail again."""
    reasons = {recorded: reason for key, reason in failed.items() for recorded in before.recorded(key)}
    if reasons:
        store.set_failed(conn, run.model.relation, run.run_id, reasons)
        _clear(conn, run, list(reasons), before)


def _clear(conn: psycopg.Connection, run: Run, keys: Sequence[TenantDate], before: _Before) -> None:
    marks = {key: before.generations[key] for key in keys if key in before.generations}
    dirty.clear(conn, run.model.relation, marks)
