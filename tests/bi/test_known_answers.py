"""Every shipped metric has a known answer, worked out by hand from a small factory."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal as D
from secrets import token_hex
from typing import Any

import pytest
import yaml

from dbt_like_sql.semantics.loading import packaged_semantics
from dbt_like_sql.semantics.osi.export import export_osi
from platform_core.warehouse.connection import Role, transaction
from tests.bi.plant import DEFECT, EVENT, ORDER, PRODUCTION, STOCK, BiPlant, made, make_plant
from tests.conftest import Server

DAY, NEXT = date(2026, 5, 20), date(2026, 5, 21)
BOTH = (DAY, NEXT)

# On the 20th and 21st together: 400 pieces of which 340 good; 270 minutes running, 90 standing.
KNOWN: dict[str, Any] = {
    "total_qty": 400,
    "good_qty": 340,
    "defect_qty": 60,
    "planned_qty": 500,
    "achievement": D("0.8"),
    "availability": D("0.75"),
    "performance": D(200) / D(270),  # (100*30 + 100*30 + 200*30) / 60 = 200 ideal minutes
    "quality": D("0.85"),
    "oee": D("0.75") * D(200) / D(270) * D("0.85"),
    "oee_capped": D("0.75") * D(200) / D(270) * D("0.85"),
    "runtime": 270,
    "downtime": 90,
    "setup_time": 30,
    "unplanned_downtime": 60,
    "planned_time": 360,
    "setup_ratio": D("0.1"),
    "downtime_ratio": D("0.25"),
    "ideal_time": 200,
    "performance_loss": 70,
    "quality_loss": 30,
    "throughput": D(400) / D("4.5"),
    "cycle_time": D("40.5"),
    "reported_cycle_time": D("37.5"),  # (30*2 + 40*6) / 8; the third row reports none
    "work_order_count": 10,
    "product_count": 2,
    "total_qty_mtd": 450,
    "oee_mtd": D("290") / D("380") * (D(215) / D("290")) * (D("385") / D("450")),
    "oee_change": None,
    "total_qty_growth": D("1"),
    "defect_rate": D("0.15"),
    "ppm": 150_000,
    "yield": D("0.85"),
    "rework_qty": 12,
    "rework_ratio": D("0.06"),  # 12 of the 200 pieces of rows that report rework
    "scrap_qty": 6,
    "scrap_ratio": D("0.06"),
    "typed_defect_qty": 50,
    "defect_cost": 900,
    "cost_per_defect": 30,
    "defect_rate_week_change": D("0.05"),
    "event_count": 9,
    "open_event_count": 1,
    "event_minutes": 190,
    "alarm_count": 5,
    "breakdown_count": 3,
    "breakdown_minutes": 90,
    "maintenance_minutes": 60,
    "mttr": 30,
    "mtbf": D("1.5"),
    "stock_qty": 170,
    "available_qty": 140,
    "reserved_qty": 30,
    "in_transit_qty": 5,
    "safety_stock_qty": 110,
    "stock_value": 1700,
    "avg_daily_usage": 20,
    "inventory_coverage": D("4"),  # 80 available of P1 at 20 a day; P2 is not used
    "below_safety_count": 1,
    "issue_qty": 35,
    "order_count": 4,
    "ordered_qty": 200,
    "delivered_qty": 150,
    "open_qty": 50,
    "delivery_rate": D("0.75"),
    "on_time_delivery": D("0.8"),
}
OVER_TIME = {"total_qty_mtd", "oee_mtd"}


def put_everything(plant: BiPlant) -> None:
    """The small factory of KNOWN."""
    plant.put(
        PRODUCTION,
        [
            made(DAY, "L1", "P1", "day", planned_qty=150, setup_time_minutes=10, cycle_time_avg=30, rework_qty=6,
                 scrap_qty=6),
            made(DAY, "L1", "P2", "night", planned_qty=150, setup_time_minutes=20, cycle_time_avg=None, rework_qty=6),
            made(NEXT, "L2", "P1", "day", total_qty=200, good_qty=160, defect_qty=40, runtime_minutes=150,
                 downtime_minutes=50, timed_qty=200, planned_qty=200, cycle_time_avg=40, work_order_count=6),
            # Earlier in the month, a week before, and a year before.
            made(date(2026, 5, 13), "L1", "P1", "day", total_qty=50, good_qty=45, defect_qty=5, runtime_minutes=20,
                 downtime_minutes=0, timed_qty=50, target_cycle_time=18),
            made(date(2025, 5, 20), "L1", "P1", "day", total_qty=200, good_qty=200, defect_qty=0),
        ],
    )  # fmt: skip
    shared = {"line_code": "L1", "product_code": "P1", "shift": "day"}
    plant.put(
        DEFECT,
        [
            {"date": DAY, **shared, "defect_type": "scratch", "defect_qty": 30, "defect_cost": 900},
            {"date": DAY, **shared, "defect_type": "dent", "defect_qty": 20, "defect_cost": None},
        ],
    )
    event = {"open_event_count": 0, "severity_distribution": "{}"}
    plant.put(
        EVENT,
        [
            {**event, "date": DAY, "line_code": "L1", "equipment_code": "M1", "event_type": "alarm", "event_count": 5},
            {**event, "date": DAY, "line_code": "L1", "equipment_code": "M1", "event_type": "breakdown",
             "event_count": 2, "total_duration_minutes": 60},
            {**event, "date": NEXT, "line_code": "L2", "equipment_code": "M2", "event_type": "breakdown",
             "event_count": 1, "total_duration_minutes": 30, "open_event_count": 1},
            {**event, "date": NEXT, "line_code": "L2", "equipment_code": "M2", "event_type": "maintenance",
             "event_count": 1, "total_duration_minutes": 60},
            {**event, "date": NEXT, "line_code": "L2", "equipment_code": "M2", "event_type": "idle",
             "event_count": 0, "total_duration_minutes": 40},
        ],
    )  # fmt: skip
    snapshot = {"location": "W1", "in_transit_qty": 5, "reserved_qty": 20}
    plant.put(
        STOCK,
        [
            {**snapshot, "date": DAY, "product_code": "P1", "stock_qty": 999, "available_qty": 979,
             "safety_stock_qty": 1, "avg_daily_usage": 77, "issue_qty": 25, "stock_value": 1},
            {**snapshot, "date": NEXT, "product_code": "P1", "stock_qty": 100, "available_qty": 80,
             "safety_stock_qty": 100, "avg_daily_usage": 20, "issue_qty": 10, "stock_value": 1000},
            {**snapshot, "date": NEXT, "product_code": "P2", "stock_qty": 70, "available_qty": 60, "reserved_qty": 10,
             "safety_stock_qty": 10, "avg_daily_usage": 0, "issue_qty": None, "stock_value": 700,
             "in_transit_qty": None},
        ],
    )  # fmt: skip
    order = {"product_code": "P1"}
    plant.put(
        ORDER,
        [
            {**order, "date": DAY, "customer_code": "C1", "order_count": 3, "ordered_qty": 150, "delivered_qty": 100,
             "delivered_on_time_qty": 80, "open_qty": 50},
            {**order, "date": DAY, "customer_code": "C2", "order_count": 1, "ordered_qty": 50, "delivered_qty": 50,
             "delivered_on_time_qty": None, "open_qty": 0},
        ],
    )  # fmt: skip
    plant.publish(date(2025, 5, 1), date(2026, 5, 21))


@pytest.fixture(scope="module")
def filled(server: Server) -> Iterator[BiPlant]:
    name = f"bi_{token_hex(6)}"
    server.clone(name)
    try:
        plant = make_plant(server.warehouse(name, name))
        put_everything(plant)
        yield plant
    finally:
        server.drop(name)


def test_every_shipped_metric_has_a_known_answer() -> None:
    assert sorted(KNOWN) == sorted(packaged_semantics().metrics)


@pytest.mark.parametrize("metric", sorted(KNOWN))
def test_a_metric_gives_its_known_answer(filled: BiPlant, metric: str) -> None:
    if metric in OVER_TIME:
        found = filled.ask(metric, time=BOTH, grain="day").rows[-1][1]
    else:
        found = filled.value(metric, time=BOTH)
    expected = KNOWN[metric]
    assert found == (None if expected is None else pytest.approx(D(expected)))


@pytest.mark.parametrize("metric", sorted(set(KNOWN) - OVER_TIME))
def test_a_metric_is_null_and_not_zero_where_nothing_is_published(filled: BiPlant, metric: str) -> None:
    assert filled.value(metric, time=(date(2024, 1, 1), date(2024, 1, 3))) is None


def test_the_target_of_the_tenant_comes_with_the_column(filled: BiPlant) -> None:
    columns = filled.ask("oee", "total_qty", time=BOTH).columns
    assert [column.target for column in columns] == [D("0.85"), None]


@pytest.mark.parametrize("metric", ["oee", "defect_rate", "scrap_ratio", "mttr", "on_time_delivery", "cost_per_defect"])
def test_the_exported_sql_of_a_metric_gives_the_same_answer(filled: BiPlant, metric: str) -> None:
    found = yaml.safe_load(export_osi(filled.model))["semantic_model"][0]
    expression = next(each for each in found["metrics"] if each["name"] == metric)["expression"]["dialects"][0]
    dataset = next(each for each in found["datasets"] if f"{each['name']}." in expression["expression"])
    query = f"select {expression['expression']} from {dataset['source']} as {dataset['name']} where date = any(%s)"
    with transaction(filled.warehouse, role=Role.API, tenant=filled.tenant.id) as conn:
        answer = conn.execute(query.encode(), [list(BOTH)]).fetchone()
    assert answer is not None
    assert answer[0] == pytest.approx(KNOWN[metric])
