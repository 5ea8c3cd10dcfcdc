"""Questions over HTTP get the numbers that every other way gets, of the caller's tenant and lines only."""

from datetime import date

import pytest

from platform_api.routers.bi import OWN_METRIC
from platform_core.security.permissions import Role
from tests.bi.plant import PRODUCTION, BiPlant, made
from tests.platform_api.conftest import Api

DAY = date(2026, 3, 2)
QUESTION = {
    "metrics": ["total_qty", "availability"],
    "dimensions": ["line"],
    "time": {"first": "2026-03-01", "last": "2026-03-02"},
    "totals": True,
}


@pytest.fixture
def plant(api: Api) -> BiPlant:
    """Two lines of one tenant, and another tenant's line."""
    place = BiPlant(api.warehouse, api.tenant, api.other)
    place.put(PRODUCTION, [made(DAY, "L01", "P1", "day"), made(DAY, "L02", "P1", "day", runtime_minutes=80)])
    place.put(PRODUCTION, [made(DAY, "L01", "P1", "day", total_qty=7)], tenant=api.other)
    place.publish(date(2026, 3, 1), DAY)
    return place


def test_a_question_is_answered_as_the_service_answers_it(api: Api, plant: BiPlant) -> None:
    data = api.ask("POST", "/api/v1/bi/query", json=QUESTION).json()["data"]
    assert [column["name"] for column in data["columns"]] == ["line", "total_qty", "availability"]
    assert data["rows"] == [["L01", 100, 0.75], ["L02", 100, 0.8]]
    assert data["totals"] == [None, 200, pytest.approx(140 / 180)]
    assert data["trust"]["trusted"] is True
    assert data["trust"]["versions"][0]["model"].startswith("bi.")


def test_a_caller_sees_its_own_tenant_and_lines_only(api: Api, plant: BiPlant) -> None:
    other = api.ask("POST", "/api/v1/bi/query", tenant=api.other, json=QUESTION).json()["data"]
    assert [row[:2] for row in other["rows"]] == [["L01", 7]]
    limited = api.ask("POST", "/api/v1/bi/query", lines=("L02",), json=QUESTION).json()["data"]
    assert [row[:2] for row in limited["rows"]] == [["L02", 100]]
    nothing = api.ask("POST", "/api/v1/bi/query", lines=(), json=QUESTION).json()["data"]
    assert nothing["rows"] == []


def test_labels_come_in_the_callers_language(api: Api, plant: BiPlant) -> None:
    korean = api.ask("POST", "/api/v1/bi/query", json=QUESTION, headers={"Accept-Language": "ko"}).json()["data"]
    assert any("가" <= letter <= "힣" for letter in korean["columns"][1]["label"])


@pytest.mark.parametrize(
    ("question", "status", "code"),
    [
        ({}, 400, "ERR_VALIDATION"),
        ({"metrics": ["total_qty"], "colour": "red"}, 400, "ERR_VALIDATION"),
        ({"metrics": ["totl_qty"]}, 404, "ERR_BI_METRIC_NOT_FOUND"),
        ({"metrics": ["total_qty"], "dimensions": ["defect_type"]}, 400, "ERR_BI_DIMENSION_NOT_SHARED"),
        ({"metrics": ["total_qty"], "time": {"relative": "some_day"}}, 400, "ERR_BI_REQUEST_INVALID"),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(
    api: Api, question: dict[str, object], status: int, code: str
) -> None:
    answer = api.ask("POST", "/api/v1/bi/query", json=question)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_trusted_answer_is_refused_with_the_reasons(api: Api, plant: BiPlant) -> None:
    plant.mark("dirty", PRODUCTION, DAY, "a late record")
    doubtful = api.ask("POST", "/api/v1/bi/query", json=QUESTION).json()["data"]["trust"]
    assert doubtful["trusted"] is False
    assert doubtful["doubts"][0]["kind"] == "dirty"
    refused = api.ask("POST", "/api/v1/bi/query", json={**QUESTION, "require_trusted": True})
    assert refused.status_code == 409
    assert "a late record" in refused.json()["error"]["message"]


def test_an_explanation_names_model_reason_and_sql(api: Api, plant: BiPlant) -> None:
    data = api.ask("POST", "/api/v1/bi/explain", json=QUESTION).json()["data"]
    assert data["models"][0]["model"].startswith("bi.")
    assert data["models"][0]["because"]
    assert "select" in data["sql"].lower()
    assert DAY.isoformat() in str(data["parameters"])


@pytest.mark.parametrize(("part", "name"), [("metrics", "oee"), ("dimensions", "line"), ("datasets", "production")])
def test_the_catalogue_says_what_can_be_asked(api: Api, part: str, name: str) -> None:
    data = api.ask("GET", f"/api/v1/bi/catalog/{part}", Role.VIEWER).json()["data"]
    assert name in {entry["name"] for entry in data}


def test_a_tenants_own_metric_is_saved_asked_for_kept_and_removed(api: Api, plant: BiPlant) -> None:
    path = "/api/v1/bi/catalog/metrics"
    made_version = api.ask("POST", path, Role.ANALYST, json=dict(OWN_METRIC))
    assert (made_version.status_code, made_version.json()["data"]["version"]) == (201, 1)
    question = {"metrics": ["waste"], "time": QUESTION["time"]}
    assert api.ask("POST", "/api/v1/bi/query", json=question).status_code == 200
    assert api.ask("POST", "/api/v1/bi/query", tenant=api.other, json=question).status_code == 404
    assert "waste" in {entry["name"] for entry in api.ask("GET", path).json()["data"]}
    assert api.ask("DELETE", f"{path}/waste", Role.ANALYST).status_code == 200
    history = api.ask("GET", f"{path}/waste/history").json()["data"]
    assert [(each["version"], each["definition"] is None) for each in history] == [(1, False), (2, True)]
    assert api.ask("POST", "/api/v1/bi/query", json=question).status_code == 404


def test_an_own_metric_that_does_not_fit_is_refused_with_the_reason(api: Api) -> None:
    wrong = {**OWN_METRIC, "expression": "scrap_qty + no_such_measure"}
    answer = api.ask("POST", "/api/v1/bi/catalog/metrics", Role.ANALYST, json=wrong)
    assert answer.status_code == 400
    assert "no_such_measure" in answer.json()["error"]["message"]


def test_a_cell_leads_to_its_fact_rows(api: Api, plant: BiPlant) -> None:
    drilling = {"question": QUESTION, "metric": "total_qty", "cell": {"line": "L01"}}
    (fact,) = api.ask("POST", "/api/v1/bi/drill", Role.ANALYST, json=drilling).json()["data"]
    assert (fact["model"], fact["total"]) == (PRODUCTION, 1)
    assert fact["rows"][0]["key"]["line_code"] == "L01"
    assert fact["rows"][0]["values"]["total_qty"] == 100
    hidden = api.ask("POST", "/api/v1/bi/drill", Role.ANALYST, lines=("L02",), json=drilling).json()["data"]
    assert [each["total"] for each in hidden] == [0]
