"""`takt ingest` and `takt rejects` as a person at a terminal uses them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dbt_like_sql.errors import TaktError
from platform_cli.main import app
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from tests.ingest.landing_help import work_order

HEADER = "작업지시,라인,품목코드,시작시간,종료시간,생산수량,양품수량,불량수량"
ROW = "WO-{0},L01,P001,2026-03-09 08:00,2026-03-09 16:00,10,{1},1"


@pytest.fixture
def takt(settings: Settings, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> "Takt":
    monkeypatch.setenv("TAKT_HOME", str(settings.home))
    monkeypatch.setenv("TAKT_DATABASE_URL", str(settings.database_url))
    monkeypatch.setenv("TAKT_API_DATABASE_URL", str(settings.api_database_url))
    return Takt(settings.home)


class Takt:
    """The command, run in this process."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *arguments: object, exit_code: int = 0, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(app, [str(one) for one in arguments], input=stdin)
        assert result.exit_code == exit_code, result.output + repr(result.exception)
        return result


def orders(path: Path, *good: int) -> Path:
    path.write_text("\n".join([HEADER, *(ROW.format(n, one) for n, one in enumerate(good))]), encoding="cp949")
    return path


def test_a_plants_own_file_comes_in_by_a_guessed_mapping(takt: Takt, tmp_path: Path) -> None:
    path = orders(tmp_path / "my orders.csv", 9, 9)
    guessed = json.loads(takt("ingest", path, "--guess", "--json").stdout)
    assert guessed["record_type"] == "work_order"
    assert {one["field"] for one in guessed["fields"]} >= {"work_order_id", "line_code", "total_qty", "good_qty"}
    assert guessed["written"] == str(takt.home / "tenants" / "default" / "mappings" / "my_orders.yml")
    again = takt("ingest", path, "--guess").stdout
    assert "my_orders_2.yml" in again
    assert "work_order_id" in again
    Path(guessed["written"]).with_name("my_orders_2.yml").unlink()
    report = json.loads(takt("ingest", path, "--json").stdout)
    assert report["total"]["landed"] == 2
    assert report["loads"][0]["mapping"] == "my_orders"
    text = takt("ingest", path).stdout
    assert "2 rows: 2 unchanged." in text


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n\x00\x00", b"2026-03-05,L1,P1,100,99,1\n"])
def test_no_mapping_is_proposed_for_what_is_no_table_with_headers(takt: Takt, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(content)
    answer = takt("ingest", path, "--guess", exit_code=1)
    assert isinstance(answer.exception, TaktError)
    assert not (takt.home / "tenants" / "default" / "mappings").exists()


def test_rejected_rows_are_listed_shown_mended_and_dismissed(takt: Takt, tmp_path: Path) -> None:
    path = orders(tmp_path / "orders.csv", 9, 8, 7)
    takt("ingest", path, "--guess")
    told = takt("ingest", path).stdout
    assert "1 landed, 2 rejected (TOTAL_MISMATCH 2)" in told
    assert "takt rejects list" in told
    listed = takt("rejects", "list").stdout
    assert "orders.csv line 4" in listed
    assert "2 rejected rows: TOTAL_MISMATCH 2." in listed
    found = json.loads(takt("rejects", "list", "--json").stdout)["rejects"]
    first = next(one for one in found if one["source_row"] == 3)
    shown = takt("rejects", "show", first["id"][:8]).stdout
    for part in (str(path), "TOTAL_MISMATCH", "WO-1,L01", "What to do:", "takt rejects retry"):
        assert part in shown
    mended = takt("rejects", "retry", first["id"][:8], "--text", ROW.format(1, 9)).stdout
    assert "1 rows tried again: 1 are stored now, 0 stay open." in mended
    assert "1 rows tried again: 0 are stored now, 1 stay open." in takt("rejects", "retry", "--all").stdout
    assert "1 rejected rows dismissed." in takt("rejects", "dismiss", "--reason", "TOTAL_MISMATCH").stdout
    assert "0 rejected rows." in takt("rejects", "list").stdout


def test_a_file_of_which_no_row_can_be_used_fails_and_says_what_to_do(takt: Takt, tmp_path: Path) -> None:
    takt("ingest", orders(tmp_path / "orders.csv", 9), "--guess")
    failed = takt("ingest", orders(tmp_path / "bad.csv", 1, 2), exit_code=1)
    assert (
        "bad.csv: ERR_INGEST_NOTHING_USABLE: Not one of its 2 rows could be used (TOTAL_MISMATCH 2)." in failed.output
    )
    assert "Is `orders` the right mapping for it?" in failed.output
    assert "takt rejects list --load" in failed.output
    told = takt("ingest", orders(tmp_path / "partly.csv", 9, 2)).stdout
    assert "Warning: 1 of 2 rows could not be used and are kept: `takt rejects list`" in told
    report = json.loads(takt("ingest", tmp_path / "bad.csv", "--json", exit_code=1).stdout)
    assert [one["code"] for one in report["failed"]] == ["ERR_INGEST_NOTHING_USABLE"]


def test_standard_input_and_strictness(takt: Takt) -> None:
    lines = "\n".join(json.dumps(work_order(f"WO-{n}", good_qty=1390 + n).payload) for n in range(2))
    failed = takt("ingest", "-", "--strict", stdin=lines, exit_code=1)
    assert "ERR_INGEST_STRICT" in failed.output
    assert "standard input" in failed.output
    told = json.loads(takt("ingest", "-", "--json", stdin=lines).stdout)
    assert (told["total"]["landed"], told["total"]["rejected"]) == (1, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("a.csv", "--source", "x"),
        ("--guess",),
        ("-", "--guess"),
        ("a.csv", "b.csv", "--guess"),
        ("--source", "x", "--mapping", "takt_order"),
        ("--watch", "x", "--mapping", "takt_order"),
        ("a.csv", "--guess", "--mapping", "takt_order"),
        ("a.csv", "--guess", "--strict"),
        ("a.csv", "--from", "2026-03-01", "--to", "2026-03-02"),
        ("--source", "x", "--from", "2026-03-01"),
        ("--source", "x", "--from", "2026-03-02", "--to", "2026-03-01"),
    ],
)
def test_what_does_not_fit_together_is_bad_usage(takt: Takt, arguments: tuple[str, ...]) -> None:
    takt("ingest", *arguments, exit_code=2)
    takt("rejects", "retry", exit_code=2)
    takt("rejects", "list", "--status", "odd", exit_code=2)
