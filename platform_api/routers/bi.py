"""Numbers by name, and what stands behind them: thin faces of platform_core.bi."""

from typing import Annotated

from fastapi import APIRouter, Request

from dbt_like_sql.semantics.loading import packaged_semantics
from platform_api.authorisation import allowed
from platform_api.bi_answers import Explained, Queried, explained, queried
from platform_api.dependencies import WarehouseDependency
from platform_api.envelope import Answer, meta_of
from platform_api.languages import choose_language
from platform_core.bi import catalogue, service
from platform_core.bi.catalogue import DatasetEntry, DimensionEntry, MetricEntry
from platform_core.bi.contracts import Request as Question
from platform_core.clock import utc_now
from platform_core.security.contracts import Principal
from platform_core.security.permissions import Permission
from platform_core.tenants.service import get_tenant
from platform_core.warehouse.connection import Role, Warehouse, transaction

router = APIRouter(prefix="/api/v1/bi", tags=["bi"])

Reader = Annotated[Principal, allowed(Permission.BI_READ)]


@router.post("/query")
def query(request: Request, question: Question, caller: Reader, warehouse: WarehouseDependency) -> Answer[Queried]:
    """Metrics by dimensions and time, with the version of the data and every doubt about it; 10,000 rows at most."""
    asker = _asker(request, caller, warehouse)
    found = service.answer(warehouse, packaged_semantics(), question, asker=asker, now=utc_now())
    return Answer(data=queried(found), meta=meta_of(request))


@router.post("/explain")
def explain(request: Request, question: Question, caller: Reader, warehouse: WarehouseDependency) -> Answer[Explained]:
    """How the same question would be answered: models, why they and not others, SQL, doubts. Computes nothing."""
    asker = _asker(request, caller, warehouse)
    found = service.explain(warehouse, packaged_semantics(), question, asker=asker, now=utc_now())
    return Answer(data=explained(found), meta=meta_of(request))


@router.get("/catalog/metrics")
def metrics(request: Request, caller: Reader) -> Answer[list[MetricEntry]]:
    """Every metric with its formula, unit and what it can be asked by."""
    return Answer(data=list(catalogue.metrics(packaged_semantics(), _language(request))), meta=meta_of(request))


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


def _asker(request: Request, caller: Principal, warehouse: Warehouse) -> service.Asker:
    with transaction(warehouse, role=Role.API, tenant=caller.tenant_id, read_only=True) as conn:
        tenant = get_tenant(conn, caller.tenant_slug)
    return service.Asker(tenant, caller.lines, _language(request))
