"""A small factory, really landed and really published: two tenants with the same codes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from secrets import token_hex
from typing import Any

import pytest

from dbt_like_sql.compile import to_psycopg
from dbt_like_sql.project import Project, load_project
from platform_core.ingest.contracts import LoadRequest, MappedRecord
from platform_core.ingest.landing import land
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.tenants.service import create_tenant
from platform_core.warehouse.connection import Warehouse, transaction
from platform_core.warehouse.ddl import apply_project
from platform_core.warehouse.store import partitions
from tests.conftest import Server

DAY = date(2025, 6, 2)
NOW = datetime(2025, 6, 5, 12, tzinfo=UTC)


@dataclass
class Plant:
    """Lands and publishes for a test."""

    warehouse: Warehouse
    settings: Settings
    project: Project
    minutes: int = 0

    def land(self, tenant: Tenant, record_type: str, source_name: str, *payloads: dict[str, Any], key: str) -> None:
        """One file of records, read from line 2 on; `key` names the payload fields that make the record's key."""
        self.minutes += 1
        request = LoadRequest(tenant.id, "MES", record_type, source_name, "test", "0")
        records = [
            MappedRecord(
                number=line,
                source_pk="|".join(str(payload.get(name, "")) for name in key.split()),
                source_version=None,
                payload=payload,
                text=str(payload),
            )
            for line, payload in enumerate(payloads, start=2)
        ]
        now = NOW + timedelta(minutes=self.minutes)
        result = land(self.warehouse, self.settings, self.project, request, records, now=now)
        assert result.outcomes.rejected == 0, result.rejected_by_code

    def build(self, *days: date) -> None:
        """Fill every table for the dates by the models' own SQL, and every mart."""
        values = {"from_date": min(days), "to_date": max(days), "now": NOW + timedelta(hours=1)}
        with transaction(self.warehouse) as conn:
            for relation, model in self.project.models.items():
                if model.spec.materialized == "materialized_view":
                    conn.execute(f"refresh materialized view {relation}".encode())
                elif model.spec.materialized != "view":
                    if model.spec.partition_by:
                        partitions.ensure(conn, relation, min(days), max(days), model.spec.partition_by)
                    names = ", ".join(column.name for column in model.spec.columns)
                    conn.execute(f"delete from {relation}".encode())
                    conn.execute(f"insert into {relation} ({names}) {to_psycopg(model.sql)}".encode(), values)


def work_order(number: int, *, good: int, defect: int = 0, day: date = DAY, **more: Any) -> dict[str, Any]:
    """A work order of eight hours on L01, from eight in the morning in Seoul."""
    return {
        "work_order_id": f"WO-{number}",
        "line_code": "L01",
        "product_code": "P001",
        "shift": "day",
        "start_time": f"{day}T08:00:00+09:00",
        "end_time": f"{day}T16:00:00+09:00",
        "total_qty": good + defect,
        "good_qty": good,
        "defect_qty": defect,
        "runtime_minutes": 420,
        "downtime_minutes": 60,
        **more,
    }


def land_all(plant: Plant, tenant: Tenant, other_tenant: Tenant) -> None:
    """Both tenants get line L01, product P001 and one day of work orders."""
    for owner, name in ((tenant, "ours"), (other_tenant, "theirs")):
        plant.land(owner, "line", f"{name}/lines.csv", {"line_code": "L01", "name": f"Line of {name}"}, key="line_code")
        product = {"product_code": "P001", "name": "Pump"}
        plant.land(owner, "product", f"{name}/products.csv", product, key="product_code")
    cycle = {"line_code": "L01", "product_code": "P001"}
    plant.land(
        tenant,
        "cycle_time",
        "ours/cycle_times.csv",
        {**cycle, "valid_from": "2025-01-01", "ideal_cycle_sec": 20},
        {**cycle, "valid_from": "2025-06-01", "ideal_cycle_sec": 18},
        {**cycle, "valid_from": "2025-07-01", "ideal_cycle_sec": 16},
        key="line_code product_code valid_from",
    )
    orders = (work_order(1, good=700, defect=60), work_order(2, good=690, defect=50))
    plant.land(tenant, "work_order", "ours/monday.csv", *orders, key="work_order_id")
    plant.land(other_tenant, "work_order", "theirs/monday.csv", work_order(1, good=5), key="work_order_id")


@pytest.fixture(scope="session")
def factories(server: Server) -> Iterator[tuple[Server, Server]]:
    """Two servers whose new databases hold the two tenants: landed only, and with every table filled."""
    names = landed, filled = f"landed_{token_hex(6)}", f"filled_{token_hex(6)}"
    settings = Settings(home=server.settings.home)
    project = load_project()
    try:
        server.clone(landed)
        plant = Plant(server.warehouse(landed, landed), settings, project)
        with transaction(plant.warehouse) as conn:
            tenants = [create_tenant(conn, slug, slug, "Asia/Seoul") for slug in ("default", "other")]
        apply_project(plant.warehouse, project)
        land_all(plant, tenants[0], tenants[1])
        base = replace(server, template=landed)
        base.clone(filled)
        Plant(server.warehouse(filled, filled), settings, project).build(DAY)
        yield base, replace(server, template=filled)
    finally:
        for name in names:
            server.drop(name)


@pytest.fixture
def warehouse(request: pytest.FixtureRequest, factories: tuple[Server, Server]) -> Iterator[Warehouse]:
    """A database of the test's own, with every table filled, or only landed where the test asks for `landed`."""
    name = f"trace_{token_hex(6)}"
    landed, filled = factories
    (landed if "landed" in request.fixturenames else filled).clone(name)
    try:
        yield filled.warehouse(name, name)
    finally:
        filled.drop(name)


@pytest.fixture
def plant(warehouse: Warehouse, settings: Settings) -> Plant:
    """Both tenants, published by the models' own SQL."""
    return Plant(warehouse, settings, load_project(), minutes=7)


@pytest.fixture
def landed(plant: Plant) -> Plant:
    """Both tenants, landed and not published."""
    return plant
