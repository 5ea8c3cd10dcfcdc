"""Write, audit, publish: a model's rows are made apart, checked, and replaced by tenant and date only where sound.

A session lock on (model, date), on a connection of its own, is held from before anything is read until after the
publication, so that two runs of one date queue. What is published counts the same as what was audited, and replaces the
very version that was there when the run began; otherwise nothing is published and the run raises. A crash anywhere
leaves whole dates, old or new, and a dirty mark on those that are still to be made.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import date, datetime, timedelta

from dbt_like_sql.contracts import Model
from dbt_like_sql.project import Project
from platform_core.warehouse import attach, candidates, expectations, marts
from platform_core.warehouse.connection import Warehouse, transaction
from platform_core.warehouse.contracts import UNDATED, BuildReport, CheckResult, ModelRun
from platform_core.warehouse.errors import RowsNotComputableError
from platform_core.warehouse.runs import Run
from platform_core.warehouse.store import publish as store

Progress = Callable[[str, ModelRun | None], None]
"""Called with a relation when its run begins (None) and when it has ended (its result)."""

SIDE_BY_SIDE = 2
"""Models made at once: much of each run uses one core only (indexes, the audit)."""

DAYS_AT_ONCE = 124
"""Longest range in one candidate: it bounds the space that a long backfill takes, and the locks it holds."""


def materialize(
    warehouse: Warehouse, project: Project, relation: str, dates: Sequence[date], *, now: datetime, run_id: str
) -> ModelRun:
    """Make one model anew: the given dates of a dated one, all of any other (`dates` are then ignored).

    `now` (aware) is what the model's SELECT takes for now. Broken dates are in the result's `failed` and keep their
    last good version. Raises ModelRunError when PostgreSQL refuses the SELECT, CheckNotPossibleError when a check could
    not be evaluated, CandidateLostError when the rows to publish are not those that were audited.
    """
    if now.tzinfo is None:
        raise ValueError("now must carry a time zone")
    model = project.model(relation)
    run = Run(warehouse, project, model, now, run_id, last_date=max(dates, default=None) if model.is_dated else None)
    if model.spec.materialized == "view":
        return ModelRun(model.relation, run_id, 0, {}, {}, (), 0.0)
    if model.spec.materialized == "materialized_view":
        return marts.refresh(run)
    expectations.warm_up()
    ranges = _ranges(dates) if model.is_dated else [[UNDATED]]
    if model.is_dated and len(dates) > 1:
        ranges = attach.by_partition(run, list(ranges))
    return _merged(run, [part for days in ranges for part in _publish(run, days)])


def build(
    warehouse: Warehouse,
    project: Project,
    dates: Sequence[date],
    *,
    now: datetime,
    run_id: str,
    progress: Progress | None = None,
) -> BuildReport:
    """Make everything anew for the dates: dimensions that are dirty, staging, facts, marts, each after what it reads.

    Two models that do not read one another are made side by side; `progress` is called from this thread only.
    """
    with transaction(warehouse, read_only=True) as conn:
        stale = store.stale_tables(conn, [name for name, model in project.models.items() if not model.is_dated])
    wanted = [relation for relation, model in project.models.items() if _is_wanted(model, stale, dates)]
    runs: dict[str, ModelRun] = {}
    running: dict[Future[ModelRun], str] = {}
    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="takt-build") as pool:
        while len(runs) < len(wanted):
            for relation in wanted:
                begun = relation in runs or relation in running.values()
                if len(running) == SIDE_BY_SIDE or begun or not _is_ready(project, relation, wanted, runs):
                    continue
                if progress:
                    progress(relation, None)
                made = pool.submit(materialize, warehouse, project, relation, dates, now=now, run_id=run_id)
                running[made] = relation
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for made in done:
                relation = running.pop(made)
                runs[relation] = made.result()
                if progress:
                    progress(relation, runs[relation])
    return BuildReport(tuple(runs[relation] for relation in wanted))


def _is_wanted(model: Model, stale: Collection[str], dates: Sequence[date]) -> bool:
    kind = model.spec.materialized
    if kind == "table":
        return model.relation in stale
    return kind == "materialized_view" or (model.is_dated and bool(dates))


def _is_ready(project: Project, relation: str, wanted: Collection[str], runs: Mapping[str, ModelRun]) -> bool:
    """Whether everything that the model reads, through views too, has been made."""
    return all(name in runs for name in wanted if relation in project.descendants(name))


def _publish(run: Run, days: list[date]) -> Iterator[ModelRun]:
    """One range; where a row makes the SELECT itself fail, ever smaller parts of it, until the failing one is alone."""
    try:
        yield candidates.publish(run, days)
    except RowsNotComputableError as error:
        if len(days) > 1:
            middle = len(days) // 2
            yield from _publish(run, days[:middle])
            yield from _publish(run, days[middle:])
        elif run.tenant is None and run.has_tenant:
            with transaction(run.warehouse, read_only=True) as conn:
                tenants = store.active_tenants(conn)
            for tenant in tenants:
                yield from _publish(replace(run, tenant=tenant), days)
        else:
            yield candidates.fail(run, days[0], error.message)


def _ranges(dates: Iterable[date]) -> Iterator[list[date]]:
    """Runs of consecutive dates, none longer than DAYS_AT_ONCE."""
    days: list[date] = []
    for day in sorted(set(dates)):
        if days and (day != days[-1] + timedelta(days=1) or len(days) == DAYS_AT_ONCE):
            yield days
            days = []
        days.append(day)
    if days:
        yield days


def _merged(run: Run, parts: Sequence[ModelRun]) -> ModelRun:
    """The runs of several ranges as one."""
    if len(parts) == 1:
        return parts[0]
    checks: dict[str, CheckResult] = {}
    for part in parts:
        for check in part.checks:
            before = checks.get(check.check)
            checks[check.check] = _added(before, check) if before else check
    return ModelRun(
        model=run.model.relation,
        run_id=run.run_id,
        rows=sum(part.rows for part in parts),
        published={key: rows for part in parts for key, rows in part.published.items()},
        failed={key: reason for part in parts for key, reason in part.failed.items()},
        checks=tuple(checks.values()),
        seconds=sum(part.seconds for part in parts),
        sealed=tuple(day for part in parts for day in part.sealed),
    )


def _added(one: CheckResult, other: CheckResult) -> CheckResult:
    return replace(
        one,
        passed=one.passed and other.passed,
        failed_rows=one.failed_rows + other.failed_rows,
        total_rows=one.total_rows + other.total_rows,
        broken=one.broken + other.broken,
        sample=(one.sample + other.sample)[: expectations.SAMPLE_ROWS],
        failed_by_date={**one.failed_by_date, **other.failed_by_date},
        sample_by_date={**one.sample_by_date, **other.sample_by_date},
    )
