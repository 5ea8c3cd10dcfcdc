"""`takt trace` as a person and as a script sees it."""

import json

import pytest
from typer.testing import CliRunner, Result

from platform_cli.main import app
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from tests.trace.conftest import Plant, work_order


@pytest.fixture
def takt(plant: Plant, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command reaches the test's warehouse."""
    monkeypatch.setenv("TAKT_HOME", str(settings.home))
    monkeypatch.setenv("TAKT_DATABASE_URL", str(settings.database_url))
    monkeypatch.setenv("TAKT_API_DATABASE_URL", str(settings.api_database_url))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["trace", *arguments])


def test_chain_is_printed_down_to_file_and_line(takt: None, plant: Plant, tenant: Tenant) -> None:
    plant.land(tenant, "work_order", "ours/fixed.csv", work_order(2, good=590, defect=50), key="work_order_id")
    result = run("bi.mv_oee_daily", "--date", "2025-06-02", "--line", "L01")
    assert result.exit_code == 0, result.output
    text = result.output.splitlines()
    assert text[0] == "bi.mv_oee_daily where date 2025-06-02, line_code L01 (tenant default)"
    at = [next(n for n, line in enumerate(text) if part in line) for part in (
        "<- bi.fact_daily_production: 1 row",
        "<- staging.stg_work_order: 2 rows",
        "<- core.erp_mes_data: 1 record",
        "MES work_order WO-1: ours/monday.csv line 2, received 2025-06-05",
        "MES work_order WO-2: ours/monday.csv line 3, received 2025-06-05",
        "! it has been corrected since; this row is to be made anew",
        "now current: ours/fixed.csv line 2",
    )]  # fmt: skip
    assert at == sorted(at)
    assert (
        "now current: ours/fixed.csv line 2, received 2025-06-05 12:08 UTC: good_qty 590, total_qty 640" in text[at[-1]]
    )
    assert "Line of theirs" not in result.output


def test_json_holds_the_same_tree(takt: None) -> None:
    result = run("mv_oee_daily", "--key", "shift=day", "--column", "quality", "--json")
    answer = json.loads(result.output)
    assert answer["relation"] == "bi.mv_oee_daily"
    assert answer["total"] == 1
    (row,) = answer["rows"]
    assert row["key"]["date"] == "2025-06-02"
    assert row["values"]["total_qty"] == 1500
    (fact,) = row["branches"][0]["rows"]
    (order, _) = fact["branches"][0]["rows"]
    (record,) = order["branches"][0]["records"]
    assert record["versions"][0]["source_name"] == "ours/monday.csv"
    assert record["versions"][0]["source_row"] == 2


def test_other_tenant_is_asked_for_by_slug(takt: None) -> None:
    result = run("bi.mv_oee_daily", "--tenant", "other", "--json")
    assert json.loads(result.output)["rows"][0]["values"]["total_qty"] == 5


@pytest.mark.parametrize(
    "arguments",
    [
        ["bi.mv_oee_daily", "--key", "line"],
        ["bi.mv_oee_daily", "--line", "L01", "--key", "line_code=L02"],
        ["bi.mv_oee_daily", "--date", "monday"],
    ],
)
def test_a_wrong_question_is_bad_usage(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2
