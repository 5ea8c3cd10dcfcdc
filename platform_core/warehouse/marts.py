"""Refreshes a mart for everyone at once, while its readers go on reading the last version."""

from time import monotonic

from platform_core.crash_points import crash_point
from platform_core.warehouse import expectations, quality
from platform_core.warehouse.contracts import UNDATED, ModelRun
from platform_core.warehouse.runs import Run, locked
from platform_core.warehouse.store import dirty, publish
from platform_core.warehouse.store import marts as store
from platform_core.warehouse.store.publish import State


def refresh(run: Run) -> ModelRun:
    """Refresh the materialized view and check it; its checks report and hold nothing back.

    Two refreshes at once queue. A change that comes during one stays marked, as only marks read before it are cleared.
    """
    started = monotonic()
    relation = run.model.relation
    expectations.warm_up()
    with locked(run, [UNDATED]) as guard:
        generations = dirty.generations(guard, relation, [UNDATED])
        states = publish.states(guard, relation, [UNDATED])
        crash_point("mart.before_refresh", relation)
        store.refresh(guard, relation)
        crash_point("mart.after_refresh", relation)
        counts = {(tenant, UNDATED): rows for tenant, rows in store.counts(guard, relation).items()}
        tenants = publish.active_tenants(guard)
        rows = {(tenant, UNDATED): 0 for tenant in tenants} | counts
        with guard.transaction():
            publish.relax_commit(guard)
            done = [(key, states.get(key, State()).version, count) for key, count in rows.items()]
            publish.set_published(guard, run.model, run.run_id, done)
            dirty.clear(guard, relation, {key: generation for key, generation in generations.items() if key in rows})
            for tenant, _ in rows:
                dirty.spread(guard, tenant, [UNDATED], run.readers, f"{relation} was refreshed", run.today)
            crash_point("mart.before_commit", relation)
        crash_point("mart.after_commit", relation)
        scope = expectations.Scope.of(relation, rows, run.now)
        checks = expectations.evaluate(run.warehouse, guard, run.model, scope, total_rows=sum(counts.values()))
        with guard.transaction():
            quality.record(guard, run, checks, rows)
    return ModelRun(relation, run.run_id, sum(counts.values()), rows, {}, checks, monotonic() - started)
