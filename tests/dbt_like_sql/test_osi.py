"""The semantic model goes to Open Semantic Interchange and back, and metrics of others come in checked."""

from typing import Any

import pytest
import yaml

from dbt_like_sql.project import load_project
from dbt_like_sql.semantics.errors import MetricDefinitionError
from dbt_like_sql.semantics.loading import packaged_semantics
from dbt_like_sql.semantics.model import SemanticModel
from dbt_like_sql.semantics.osi.contracts import VERSION, OsiDocument
from dbt_like_sql.semantics.osi.export import export_osi
from dbt_like_sql.semantics.osi.importing import import_osi, read_osi


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return yaml.safe_load(export_osi(packaged_semantics()))


def metric(document: dict[str, Any], name: str) -> str:
    found = next(each for each in document["semantic_model"][0]["metrics"] if each["name"] == name)
    return found["expression"]["dialects"][0]["expression"]


def test_the_export_has_the_keys_of_the_specification_and_no_others(document: dict[str, Any]) -> None:
    assert OsiDocument.model_validate(document).version == VERSION
    assert len(document["semantic_model"][0]["metrics"]) == len(packaged_semantics().metrics)


def test_every_relationship_and_field_is_there(document: dict[str, Any]) -> None:
    model = document["semantic_model"][0]
    fields = {each["name"]: {field["name"] for field in each["fields"]} for each in model["datasets"]}
    for each in model["relationships"]:
        assert set(each["from_columns"]) <= fields[each["from"]]
        assert set(each["to_columns"]) <= fields[each["to"]]
    assert {"production_line", "production_product", "events_equipment"} <= {x["name"] for x in model["relationships"]}


def test_metrics_are_sql_that_divides_sums(document: dict[str, Any]) -> None:
    assert metric(document, "defect_rate") == "((SUM(production.defect_qty)) / NULLIF((SUM(production.total_qty)), 0))"
    assert "CASE WHEN (events.event_type = 'breakdown') THEN" in metric(document, "mttr")
    assert metric(document, "ideal_time").startswith("CASE WHEN COUNT(CASE WHEN ((production.timed_qty > 0) AND ")


def test_nothing_is_lost_on_the_way_back() -> None:
    full = packaged_semantics()
    parts = {name: getattr(full, name) for name in ("datasets", "entities", "dimensions", "places")}
    bare = SemanticModel(load_project(), measures={}, metrics={}, **parts)
    back = import_osi(bare, export_osi(full))
    assert back.left_out == {}
    assert dict(back.model.metrics) == dict(full.metrics)
    assert dict(back.model.measures) == {name: full.measures[name] for name in back.model.measures}


def foreign(expression: str, source: str = "warehouse.bi.v_fact_daily_production") -> str:
    one = {"dialects": [{"dialect": "ANSI_SQL", "expression": expression}]}
    return yaml.safe_dump({
        "version": "0.1.1",
        "semantic_model": [{
            "name": "theirs",
            "datasets": [{"name": "prod", "source": source}],
            "metrics": [{"name": "theirs", "expression": one, "description": "Of another tool"}],
        }],
    })  # fmt: skip


def test_a_metric_of_another_tool_becomes_measures_and_a_formula() -> None:
    text = "SUM(CASE WHEN prod.shift = 'night' THEN prod.total_qty END) * 100 / NULLIF(SUM(prod.planned_qty), 0)"
    found = import_osi(packaged_semantics(), foreign(text))
    assert found.left_out == {}
    assert found.model.metrics["theirs"].expression == "theirs_1 * 100 / theirs_2"
    assert found.model.measures["theirs_1"].where == "shift = 'night'"
    assert found.model.measures["theirs_2"].expression == "planned_qty"
    assert yaml.safe_load(found.text)["metrics"][0]["description"]["en"] == "Of another tool"


def test_stock_of_another_tool_is_that_of_the_last_day() -> None:
    found = import_osi(packaged_semantics(), foreign("SUM(prod.stock_qty)", "bi.fact_inventory_snapshot"))
    assert found.model.measures["theirs_1"].over_time == "last"


@pytest.mark.parametrize(
    ("expression", "source", "said"),
    [
        ("AVG(prod.total_qty)", "bi.fact_daily_production", "cannot be said in our language"),
        ("SUM(prod.cycle_time_avg)", "bi.fact_daily_production", "of the wrong grain"),
        ("SUM(prod.good)", "bi.fact_daily_production", "'good' is unknown"),
        ("SUM(prod.total_qty)", "sales.orders", "none of our datasets"),
        ("SUM(prod.total_qty + other.x)", "bi.fact_daily_production", "fields of one dataset"),
        ("SUM(prod.total_qty)" + " + SUM(prod.total_qty)" * 60, "bi.fact_daily_production", "longer than 1000"),
        ("(SELECT 1)", "bi.fact_daily_production", "cannot be said in our language"),
        ("SUM(prod.total_qty); DROP TABLE x", "bi.fact_daily_production", "more than one expression"),
        ("SUM(CASE WHEN pg_sleep(9) THEN prod.total_qty END)", "bi.fact_daily_production", "is not allowed"),
    ],
)
def test_what_does_not_fit_is_left_out_with_the_reason(expression: str, source: str, said: str) -> None:
    found = import_osi(packaged_semantics(), foreign(expression, source))
    assert said in found.left_out["theirs"]
    assert found.model.metrics.keys() == packaged_semantics().metrics.keys()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: x\nsemantic_model: []\nmodels: []", "models: Extra inputs"),
        ("semantic_model: []", "version: Field required"),
        ("version: x\nsemantic_model: [{name: a, datasets: []}]", "at least 1 item"),
        ("a: [", "not readable as YAML"),
    ],
)
def test_a_document_that_is_none_is_refused(text: str, said: str) -> None:
    with pytest.raises(MetricDefinitionError) as caught:
        read_osi(text)
    assert said in str(caught.value)
