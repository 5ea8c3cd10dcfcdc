"""What tests of landing share: records, loads, and what stands in the database afterwards."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from dbt_like_sql.project import Project, load_project
from platform_core.ingest.contracts import LoadRequest, LoadResult, MappedRecord, Outcomes, Rejection
from platform_core.ingest.landing import land
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.warehouse.connection import Warehouse, transaction

NOW = datetime(2026, 3, 10, 3, 0, tzinfo=UTC)  # noon in Seoul
SHIFTS = (("day", "08:00:00", "16:00:00"), ("evening", "16:00:00", "00:00:00"), ("night", "00:00:00", "08:00:00"))

_project: list[Project] = []


def project() -> Project:
    """The packaged models, parsed once for all tests."""
    if not _project:
        _project.append(load_project())
    return _project[0]


def work_order(pk: str = "WO-1", *, number: int = 1, version: int | None = None, **fields: Any) -> MappedRecord:
    """A sound work order of 2026-03-09, with some fields otherwise."""
    payload = {
        "work_order_id": pk,
        "line_code": "L01",
        "product_code": "P001",
        "shift": "day",
        "start_time": "2026-03-09T08:00:00+09:00",
        "end_time": "2026-03-09T16:00:00+09:00",
        "total_qty": 1500,
        "good_qty": 1390,
        "defect_qty": 110,
    } | fields
    return MappedRecord(number, pk, version, payload, f"text of {pk}")


def load(
    warehouse: Warehouse,
    settings: Settings,
    tenant: Tenant,
    items: Iterable[MappedRecord | Rejection],
    *,
    record_type: str = "work_order",
    now: datetime = NOW,
    **options: Any,
) -> LoadResult:
    """Land items as one load of the system MES."""
    request = LoadRequest(tenant.id, "MES", record_type, "orders.csv", "mes", "digest", **options)
    return land(warehouse, settings, project(), request, items, now=now)


def load_shifts(warehouse: Warehouse, settings: Settings, tenant: Tenant) -> LoadResult:
    """Land the three shifts of the shipped seeds."""
    items = [
        MappedRecord(n, code, None, {"shift_code": code, "name": code, "start_time": a, "end_time": b}, code)
        for n, (code, a, b) in enumerate(SHIFTS)
    ]
    return load(warehouse, settings, tenant, items, record_type="shift")


def counts(**named: int) -> Outcomes:
    """Outcomes with some counts."""
    return Outcomes(**named)


def rows(warehouse: Warehouse, query: str, **values: Any) -> list[tuple[Any, ...]]:
    """What a query gives."""
    with transaction(warehouse, read_only=True) as conn:
        return conn.execute(query, values).fetchall()  # type: ignore[arg-type]


def current(warehouse: Warehouse) -> Mapping[str, tuple[str, int]]:
    """Business date and total of every current work order."""
    found = rows(
        warehouse,
        "select source_pk, business_date::text, (raw_data->>'total_qty')::int from core.erp_mes_data where is_current",
    )
    return {pk: (day, total) for pk, day, total in found}


def dirty(warehouse: Warehouse, model: str = "staging.stg_work_order") -> list[str]:
    """Dates on which a model is marked."""
    query = "select date::text from core.dirty_partition where model = %(model)s order by date"
    return [day for (day,) in rows(warehouse, query, model=model)]


def clear_dirty(warehouse: Warehouse) -> None:
    """Take all marks away, as a publication of everything would."""
    with transaction(warehouse) as conn:
        conn.execute("delete from core.dirty_partition")
