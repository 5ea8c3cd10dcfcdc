"""Numbers by name, and what stands behind them: thin faces of platform_core.bi."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.encoders import jsonable_encoder
from pydantic import BaseModel, Field

from dbt_like_sql.semantics.loading import packaged_semantics
from dbt_like_sql.semantics.model import SemanticModel
from platform_api.authorisation import allowed
from platform_api.bi_answers import Explained, Queried, explained, queried
from platform_api.dependencies import WarehouseDependency
from platform_api.envelope import Answer, meta_of
from platform_api.languages import choose_language
from platform_core.bi import catalogue, service
from platform_core.bi.catalogue import DatasetEntry, DimensionEntry, MetricEntry
from platform_core.bi.contracts import Request as Question
from platform_core.bi.drill import LIMIT, drill
from platform_core.bi.own import OwnMetric, metric_history, remove_metric, save_metric, semantics_for
from platform_core.clock import utc_now
from platform_core.security.contracts import Principal
from platform_core.security.permissions import Permission
from platform_core.tenants.contracts import Tenant
from platform_core.tenants.service import get_tenant
from platform_core.warehouse.connection import Role, Warehouse, transaction

router = APIRouter(prefix="/api/v1/bi", tags=["bi"])

Reader = Annotated[Principal, allowed(Permission.BI_READ)]
Writer = Annotated[Principal, allowed(Permission.BI_WRITE)]

OWN_METRIC: Mapping[str, Any] = {
    "name": "waste",
    "label": {"ko": "낭비 수량", "en": "Waste"},
    "description": {"ko": "폐기와 재작업을 합한 수량", "en": "Pieces scrapped or reworked"},
    "type": "derived",
    "expression": "scrap_qty + rework_qty",
    "unit": "piece",
    "format": "integer",
    "direction": "lower",
}
"""A metric as a caller may send it."""


@router.post("/query")
def query(request: Request, question: Question, caller: Reader, warehouse: WarehouseDependency) -> Answer[Queried]:
    """Metrics by dimensions and time, with the version of the data and every doubt about it; 10,000 rows at most."""
    asker = _asker(request, caller, warehouse)
    found = service.answer(warehouse, _semantics(warehouse, asker.tenant), question, asker=asker, now=utc_now())
    return Answer(data=queried(found), meta=meta_of(request))


@router.post("/explain")
def explain(request: Request, question: Question, caller: Reader, warehouse: WarehouseDependency) -> Answer[Explained]:
    """How the same question would be answered: models, why they and not others, SQL, doubts. Computes nothing."""
    asker = _asker(request, caller, warehouse)
    found = service.explain(warehouse, _semantics(warehouse, asker.tenant), question, asker=asker, now=utc_now())
    return Answer(data=explained(found), meta=meta_of(request))


class Drilling(BaseModel):
    """A cell of an answer: the question, one of its metrics, and the row's values by column."""

    question: Question
    metric: str = Field(max_length=60)
    cell: dict[str, str | None] = Field(examples=[{"line": "L01", "time": "2026-03-02"}])
    limit: int = Field(default=LIMIT, ge=1, le=100)


@router.post("/drill")
def drill_down(
    request: Request,
    drilling: Drilling,
    caller: Annotated[Principal, allowed(Permission.RECORD_READ)],
    warehouse: WarehouseDependency,
) -> Answer[list[dict[str, Any]]]:
    """The fact rows that a cell is made of, and under each the raw records with source, file and line."""
    asker = _asker(request, caller, warehouse)
    found = drill(
        warehouse,
        _semantics(warehouse, asker.tenant),
        drilling.question,
        drilling.metric,
        drilling.cell,
        asker=asker,
        now=utc_now(),
        limit=drilling.limit,
    )
    return Answer(data=jsonable_encoder(found), meta=meta_of(request))


@router.get("/catalog/metrics")
def metrics(request: Request, caller: Reader, warehouse: WarehouseDependency) -> Answer[list[MetricEntry]]:
    """Every metric, the tenant's own included, with its formula, unit and what it can be asked by."""
    model = _semantics(warehouse, _tenant(caller, warehouse))
    return Answer(data=list(catalogue.metrics(model, _language(request))), meta=meta_of(request))


@router.post("/catalog/metrics", status_code=201)
def save(
    request: Request,
    definition: Annotated[dict[str, Any], Body(examples=[OWN_METRIC])],
    caller: Writer,
    warehouse: WarehouseDependency,
) -> Answer[OwnMetric]:
    """Add a metric of the tenant's own, or a new version of one; checked as the shipped ones are."""
    tenant = _tenant(caller, warehouse)
    made = save_metric(warehouse, packaged_semantics(), tenant, definition, author=caller.name)
    return Answer(data=made, meta=meta_of(request))


@router.get("/catalog/metrics/{name}/history")
def history(request: Request, name: str, caller: Reader, warehouse: WarehouseDependency) -> Answer[list[OwnMetric]]:
    """Every version of a metric of the tenant's own, the oldest first."""
    found = metric_history(warehouse, _tenant(caller, warehouse), name)
    return Answer(data=list(found), meta=meta_of(request))


@router.delete("/catalog/metrics/{name}")
def remove(request: Request, name: str, caller: Writer, warehouse: WarehouseDependency) -> Answer[OwnMetric]:
    """Remove a metric of the tenant's own; its history stays."""
    tenant = _tenant(caller, warehouse)
    gone = remove_metric(warehouse, packaged_semantics(), tenant, name, author=caller.name)
    return Answer(data=gone, meta=meta_of(request))


@router.get("/catalog/dimensions")
def dimensions(request: Request, caller: Reader) -> Answer[list[DimensionEntry]]:
    """Every dimension with its place in the hierarchy."""
    return Answer(data=list(catalogue.dimensions(packaged_semantics(), _language(request))), meta=meta_of(request))


@router.get("/catalog/datasets")
def datasets(request: Request, caller: Reader) -> Answer[list[DatasetEntry]]:
    """Every dataset with the models that answer for it."""
    return Answer(data=list(catalogue.datasets(packaged_semantics(), _language(request))), meta=meta_of(request))


def _language(request: Request) -> str:
    return choose_language(request.headers.get("accept-language"))


def _semantics(warehouse: Warehouse, tenant: Tenant) -> SemanticModel:
    return semantics_for(warehouse, packaged_semantics(), tenant).model


def _tenant(caller: Principal, warehouse: Warehouse) -> Tenant:
    with transaction(warehouse, role=Role.API, tenant=caller.tenant_id, read_only=True) as conn:
        return get_tenant(conn, caller.tenant_slug)


def _asker(request: Request, caller: Principal, warehouse: Warehouse) -> service.Asker:
    return service.Asker(_tenant(caller, warehouse), caller.lines, _language(request))
