"""A tenant's own metrics: checked as the shipped ones, kept with history, and nobody else's."""

from datetime import date
from typing import Any

import psycopg
import pytest

from dbt_like_sql.semantics.errors import MetricDefinitionError
from platform_core.bi.errors import MetricNotFoundError
from platform_core.bi.own import metric_history, own_metrics, remove_metric, save_metric, semantics_for
from platform_core.warehouse.connection import Role, transaction
from tests.bi.plant import PRODUCTION, BiPlant, made

DAY = date(2026, 5, 20)


@pytest.fixture
def plant(module_plant: BiPlant) -> BiPlant:
    module_plant.clear()
    with transaction(module_plant.warehouse) as conn:
        conn.execute("delete from core.tenant_metric")
    return module_plant


def definition(name: str, expression: str = "scrap_qty + rework_qty") -> dict[str, Any]:
    text = {"ko": "가", "en": "A"}
    return {
        "name": name, "label": text, "description": text, "type": "derived", "expression": expression, "unit": "piece",
        "format": "integer", "direction": "lower",
    }  # fmt: skip


def save(plant: BiPlant, name: str, expression: str = "scrap_qty + rework_qty") -> int:
    saved = save_metric(plant.warehouse, plant.model, plant.tenant, definition(name, expression), author="kim")
    return saved.version


def mine(plant: BiPlant) -> BiPlant:
    model = semantics_for(plant.warehouse, plant.model, plant.tenant).model
    return BiPlant(plant.warehouse, plant.tenant, plant.other, model)


def test_an_own_metric_is_asked_for_like_the_shipped_ones(plant: BiPlant) -> None:
    plant.put(PRODUCTION, [made(DAY, "L1", "P1", "day", scrap_qty=3, rework_qty=4)])
    plant.publish(DAY, DAY)
    save(plant, "waste")
    assert mine(plant).value("waste", time=(DAY, DAY)) == 7
    save(plant, "waste", "scrap_qty * 10")
    assert mine(plant).value("waste", time=(DAY, DAY)) == 30


def test_every_version_is_kept_with_its_author(plant: BiPlant) -> None:
    assert [save(plant, "waste"), save(plant, "waste", "scrap_qty")] == [1, 2]
    remove_metric(plant.warehouse, plant.model, plant.tenant, "waste", author="lee")
    assert own_metrics(plant.warehouse, plant.tenant) == ()
    history = metric_history(plant.warehouse, plant.tenant, "waste")
    assert [(each.version, each.author, each.definition is None) for each in history] == [
        (1, "kim", False), (2, "kim", False), (3, "lee", True)
    ]  # fmt: skip
    assert save(plant, "waste") == 4


@pytest.mark.parametrize(
    ("name", "expression", "said"),
    [
        ("waste", "scrap_qt", "waste: waste: 'scrap_qt' is unknown; did you mean 'scrap_qty'?"),
        ("waste", "waste + 1", "circle"),
        ("waste", "pg_sleep(10)", "is not allowed"),
        ("oee", "scrap_qty", "'oee' of metrics is defined already"),
        ("week", "scrap_qty", "'week' is a grain of time"),
        ("Waste; drop", "scrap_qty", "String should match pattern"),
    ],
)
def test_what_does_not_fit_is_refused_and_not_stored(plant: BiPlant, name: str, expression: str, said: str) -> None:
    with pytest.raises(MetricDefinitionError) as caught:
        save(plant, name, expression)
    assert said in str(caught.value)
    assert own_metrics(plant.warehouse, plant.tenant) == ()


def test_a_metric_that_another_needs_stays(plant: BiPlant) -> None:
    save(plant, "waste")
    save(plant, "waste_share", "waste / total_qty")
    with pytest.raises(MetricDefinitionError, match=r"waste_share: .*'waste' is unknown"):
        remove_metric(plant.warehouse, plant.model, plant.tenant, "waste", author="kim")
    assert len(own_metrics(plant.warehouse, plant.tenant)) == 2


def test_a_metric_that_an_upgrade_broke_takes_no_other_with_it(plant: BiPlant) -> None:
    save(plant, "waste")
    save(plant, "a_share", "waste / total_qty")
    with transaction(plant.warehouse) as conn:
        conn.execute(
            "insert into core.tenant_metric select tenant_id, 'old', 1, "
            "jsonb_set(jsonb_set(definition, '{expression}', '\"gone + 1\"'), '{name}', '\"old\"'), author, now() "
            "from core.tenant_metric where name = 'waste'"
        )
    found = semantics_for(plant.warehouse, plant.model, plant.tenant)
    assert {"waste", "a_share"} <= found.model.metrics.keys()
    assert "'gone' is unknown" in found.broken["old"]


def test_another_tenant_neither_sees_nor_changes_it(plant: BiPlant) -> None:
    save(plant, "waste")
    assert "waste" not in semantics_for(plant.warehouse, plant.model, plant.other).model.metrics
    with pytest.raises(MetricNotFoundError):
        metric_history(plant.warehouse, plant.other, "waste")
    with pytest.raises(MetricNotFoundError):
        remove_metric(plant.warehouse, plant.model, plant.other, "waste", author="kim")


def test_the_role_of_the_api_defines_nothing_by_itself(plant: BiPlant) -> None:
    save(plant, "waste")
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        transaction(plant.warehouse, role=Role.API, tenant=plant.tenant.id) as conn,
    ):
        conn.execute("update core.tenant_metric set author = 'me'")
