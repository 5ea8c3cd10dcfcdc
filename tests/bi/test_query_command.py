"""`takt query` as a person and as a script sees it."""

import csv
import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from secrets import token_hex

import openpyxl
import pytest
from rich.cells import cell_len
from typer.testing import CliRunner, Result

from platform_cli.main import app
from platform_core.warehouse.connection import transaction
from platform_core.warehouse.migrate import head
from tests.bi.plant import PRODUCTION, BiPlant, made, make_plant
from tests.conftest import Server

DAY = date(2026, 5, 18)


@pytest.fixture(scope="module")
def plant(server: Server) -> Iterator[BiPlant]:
    name = f"bi_{token_hex(6)}"
    server.clone(name)
    try:
        plant = make_plant(server.warehouse(name, name))
        rows = [
            made(DAY + timedelta(days=n), line, "P1", "day", total_qty=100 + n)
            for n in range(7)
            for line in ("L1", "L2")
        ]
        rows.append(made(DAY, "=1+1", "P2", "night", total_qty=5))
        plant.put(PRODUCTION, rows)
        plant.publish(DAY - timedelta(days=14), DAY + timedelta(days=6))
        yield plant
    finally:
        server.drop(name)


@pytest.fixture
def takt(plant: BiPlant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command reaches the module's warehouse."""
    monkeypatch.setenv("TAKT_HOME", str(tmp_path))
    monkeypatch.setenv("TAKT_DATABASE_URL", plant.warehouse.owner_url)
    monkeypatch.setenv("TAKT_API_DATABASE_URL", plant.warehouse.api_url)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["query", *arguments])


RANGE = ("--from", "2026-05-18", "--to", "2026-05-24")


def test_a_table_has_units_totals_versions_and_a_sparkline(takt: None) -> None:
    result = run("total_qty,oee", "--by", "line,day", *RANGE, "--filter", "line=L1", "--totals")
    assert result.exit_code == 0, result.output
    text = result.output.splitlines()
    assert text[0].split("  ")[0] == "Time"
    assert "OEE [%]" in text[0]
    assert text[2].split() == ["2026-05-18", "L1", "100", "56.2"]  # 0.75 x 50/60 x 0.9
    assert any(line.startswith("Total") and "721" in line for line in text)
    assert any(line.startswith("▁▂▃▄▅▆█") for line in text), result.output
    assert "Trusted." in text


def test_korean_labels_line_up_by_the_width_of_a_terminal(takt: None) -> None:
    result = run("total_qty,defect_rate", "--by", "product_name", *RANGE, "--lang", "ko")
    assert result.exit_code == 0, result.output
    rows = result.output.splitlines()[:4]
    assert "생산 수량 [piece]" in rows[0]
    assert len({cell_len(row) for row in rows}) == 1


def test_json_holds_numbers_dates_units_and_trust(takt: None) -> None:
    result = run("total_qty", "--by", "week", *RANGE, "--json")
    answer = json.loads(result.output)
    assert answer["rows"] == [["2026-05-18", 1447]]
    assert answer["columns"][1]["unit"] == "piece"
    assert answer["trust"]["trusted"] is True
    assert answer["trust"]["versions"][0]["version"]


def test_explain_names_model_reasons_and_sql_and_runs_nothing(takt: None) -> None:
    result = run("rework_ratio", "--by", "line", *RANGE, "--explain")
    assert "production (current): bi.fact_daily_production" in result.output
    assert "not bi.mv_oee_daily: cannot give rework_qty, rework_base_qty" in result.output
    assert 'bi"."v_fact_daily_production' in result.output


def test_files_hold_all_rows_and_no_text_that_a_spreadsheet_would_run(takt: None, tmp_path: Path) -> None:
    sheet, table = tmp_path / "o.xlsx", tmp_path / "o.csv"
    for path in (sheet, table):
        result = run("total_qty", "--by", "line,day", *RANGE, "-o", str(path))
        assert result.exit_code == 0, result.output
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["time", "line", "total_qty"]
    assert rows[1] == ["2026-05-18", "'=1+1", "5"]
    assert len(rows) == 16
    cells = [row[1] for row in openpyxl.load_workbook(sheet).active.iter_rows()]  # type: ignore[union-attr]
    assert [cells[1].value, cells[1].data_type] == ["=1+1", "s"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("oe",), "Did you mean oee"),
        (("oee", "--by", "lin"), "Did you mean line"),
        (("oee", "--by", "location"), "fact_daily_production has no location"),
        (("oee", "--by", "week,day"), "not by week and day"),
        (("oee", "--filter", "line"), "is no filter"),
        (("oee", "--filter", "oee<high"), "is no number"),
        (("oee", "--last", "30x"), "There is no time range"),
        (("oee", "--from", "2026-05-18"), "belong together"),
        (("oee", "--last", "7d", "--from", "2026-05-18"), "not by both"),
        (("oee", "--compare", "month"), "There is no comparison"),
        (("oee", "--order", "-good"), "cannot be ordered by 'good'"),
        (("oee", "-o", "x.parquet"), ".csv or .xlsx"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_what_would_be_right(takt: None, arguments: tuple[str, ...], said: str) -> None:
    result = run(*arguments)
    assert result.exception is not None
    assert said in str(result.exception) + result.output


def test_without_metrics_it_lists_what_can_be_asked(takt: None) -> None:
    result = run("--lang", "ko")
    assert "설비종합효율" in result.output
    assert "availability * performance * quality" in result.output


def test_tables_of_an_older_version_are_told_with_the_way_out(takt: None, plant: BiPlant) -> None:
    with transaction(plant.warehouse) as conn:
        conn.execute("update public.takt_revision set version_num = '0006'")
    try:
        result = run("oee", *RANGE)
    finally:
        with transaction(plant.warehouse) as conn:
            conn.execute("update public.takt_revision set version_num = %s", [head()])
    assert "tables are at revision 0006" in str(result.exception)
    assert "takt init" in str(result.exception)
