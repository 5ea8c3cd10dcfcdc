"""A tenant's own metrics over the shipped ones: checked in the same way, with history."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from dbt_like_sql.semantics.errors import MetricDefinitionError
from dbt_like_sql.semantics.loading import read_semantics
from dbt_like_sql.semantics.model import SemanticModel
from platform_core.bi.errors import MetricNotFoundError
from platform_core.bi.store import own as store
from platform_core.tenants.contracts import Tenant
from platform_core.warehouse.connection import Role, Warehouse, transaction

MAX_METRICS = 500
_PLACE = "your metrics"


@dataclass(frozen=True)
class OwnMetric:
    """A version of a tenant's metric; without a definition the metric was removed."""

    name: str
    version: int
    definition: Mapping[str, Any] | None
    author: str
    created_at: datetime


@dataclass(frozen=True)
class TenantSemantics:
    """The shipped metrics and the tenant's. `broken`: own ones that no longer fit, and why; nobody can ask for them."""

    model: SemanticModel
    broken: Mapping[str, str]


def semantics_for(warehouse: Warehouse, base: SemanticModel, tenant: Tenant) -> TenantSemantics:
    """What a tenant can ask for. An own metric that an upgrade has broken takes none of the others with it."""
    with transaction(warehouse, role=Role.API, tenant=tenant.id, read_only=True) as conn:
        definitions = _definitions(conn, tenant)
    return _merged(base, definitions)


def save_metric(
    warehouse: Warehouse, base: SemanticModel, tenant: Tenant, definition: Mapping[str, Any], *, author: str
) -> OwnMetric:
    """Add a metric or a new version of one; the keys are those of a metric in dbt_like_sql/metrics.

    Raises MetricDefinitionError for what does not fit, also when others of the tenant would no longer fit.
    """
    name = str(definition.get("name", ""))
    with transaction(warehouse) as conn:
        store.lock(conn, tenant.id)
        definitions = {**_definitions(conn, tenant), name: dict(definition)}
        if len(definitions) > MAX_METRICS:
            raise MetricDefinitionError(f"A tenant has at most {MAX_METRICS} metrics of its own.")
        _checked(base, definitions)
        return _added(conn, tenant, name, dict(definition), author)


def remove_metric(warehouse: Warehouse, base: SemanticModel, tenant: Tenant, name: str, *, author: str) -> OwnMetric:
    """Remove a metric; its history stays. Raises MetricNotFoundError, and MetricDefinitionError when others need it."""
    with transaction(warehouse) as conn:
        store.lock(conn, tenant.id)
        definitions = _definitions(conn, tenant)
        if name not in definitions:
            raise _not_found(name, definitions)
        del definitions[name]
        _checked(base, definitions)
        return _added(conn, tenant, name, None, author)


def own_metrics(warehouse: Warehouse, tenant: Tenant) -> tuple[OwnMetric, ...]:
    """The tenant's metrics as they are now."""
    with transaction(warehouse, role=Role.API, tenant=tenant.id, read_only=True) as conn:
        rows = store.current(conn, tenant.id)
    return tuple(OwnMetric(**row) for row in rows if row["definition"] is not None)


def metric_history(warehouse: Warehouse, tenant: Tenant, name: str) -> tuple[OwnMetric, ...]:
    """Every version of a metric, oldest first; raises MetricNotFoundError."""
    with transaction(warehouse, role=Role.API, tenant=tenant.id, read_only=True) as conn:
        rows = store.history(conn, tenant.id, name)
        if not rows:
            raise _not_found(name, _definitions(conn, tenant))
    return tuple(OwnMetric(**row) for row in rows)


def _definitions(conn: psycopg.Connection, tenant: Tenant) -> dict[str, dict[str, Any]]:
    rows = store.current(conn, tenant.id)
    return {row["name"]: row["definition"] for row in rows if row["definition"] is not None}


def _added(
    conn: psycopg.Connection, tenant: Tenant, name: str, definition: dict[str, Any] | None, author: str
) -> OwnMetric:
    versions = [row["version"] for row in store.current(conn, tenant.id) if row["name"] == name]
    return OwnMetric(**store.insert(conn, tenant.id, name, max(versions, default=0) + 1, definition, author))


def _checked(base: SemanticModel, definitions: Mapping[str, Mapping[str, Any]]) -> SemanticModel:
    """The merged model; each metric is a line of one text, so that a complaint's line is turned into its name."""
    names = list(definitions)
    lines = ",\n".join(json.dumps(definitions[name], ensure_ascii=False, default=str) for name in names)
    try:
        return read_semantics(base.project, {_PLACE: f'{{"metrics": [\n{lines}\n]}}'} if names else {}, base)
    except MetricDefinitionError as error:
        text = str(error)
        for number, name in enumerate(names, start=2):
            text = text.replace(f"{_PLACE}:{number}:", f"{name}:")
        raise MetricDefinitionError(text) from error


def _merged(base: SemanticModel, definitions: Mapping[str, Mapping[str, Any]]) -> TenantSemantics:
    try:
        return TenantSemantics(_checked(base, definitions), {})
    except MetricDefinitionError:
        return _without_broken(base, definitions)


def _without_broken(base: SemanticModel, definitions: Mapping[str, Mapping[str, Any]]) -> TenantSemantics:
    """Add what fits until nothing more does: a metric may need another that comes later."""
    fitting: dict[str, Mapping[str, Any]] = {}
    reasons: dict[str, str] = {}
    waiting = dict(definitions)
    while waiting:
        added = False
        for name in list(waiting):
            try:
                _checked(base, {**fitting, name: waiting[name]})
            except MetricDefinitionError as error:
                reasons[name] = str(error)
                continue
            fitting[name] = waiting.pop(name)
            added = True
        if not added:
            break
    return TenantSemantics(_checked(base, fitting), {name: reasons[name] for name in waiting})


def _not_found(name: str, known: Mapping[str, object]) -> MetricNotFoundError:
    hint = f"There are {', '.join(known)}." if known else "There are none yet."
    return MetricNotFoundError(f"The tenant has no metric {name!r} of its own.", hint=hint)
