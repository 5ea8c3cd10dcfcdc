"""The made-up factory: the same seed, the same bytes; the truth agrees with itself; the story can be seen."""

import json
from collections import Counter
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from platform_core.factory.bulk import work_orders_bulk
from platform_core.factory.contracts import Factory
from platform_core.factory.disturbances import BROKEN_WORK_ORDERS
from platform_core.factory.errors import FactoryError
from platform_core.factory.plants import make_plants
from platform_core.factory.service import generate

LAST = date(2026, 11, 4)  # both clocks change in this period: Chicago on 1 November


def _generate(output: Path, seed: int = 7, **more: Any) -> Factory:
    return generate(output, days=8, lines=3, tenants=2, seed=seed, end_date=LAST, **more)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory) -> Factory:
    return _generate(tmp_path_factory.mktemp("factory"))


@pytest.fixture(scope="module")
def truth(factory: Factory) -> dict[str, Any]:
    return json.loads((factory.output / "truth.json").read_text())


def test_the_same_seed_gives_the_same_bytes_excel_included(factory: Factory, tmp_path: Path) -> None:
    again = _bytes(_generate(tmp_path).output)
    assert again == _bytes(factory.output)
    assert any(name.endswith(".xlsx") for name in again)


def test_another_seed_gives_other_bytes(factory: Factory, tmp_path: Path) -> None:
    other = _bytes(_generate(tmp_path, seed=8).output)
    assert other["truth.json"] != _bytes(factory.output)["truth.json"]


def test_the_manifest_names_every_file_once_and_master_data_first(factory: Factory) -> None:
    manifest = json.loads((factory.output / "manifest.json").read_text())
    paths = [file["path"] for file in manifest["files"]]
    written = set(_bytes(factory.output)) - {"manifest.json", "truth.json"}
    assert sorted(paths) == sorted(written)
    first_dated = next(n for n, path in enumerate(paths) if "/master/" not in path)
    assert all("/master/" not in path for path in paths[first_dated:])
    assert [tenant["timezone"] for tenant in manifest["tenants"]] == ["Asia/Seoul", "America/Chicago"]


def test_files_are_as_real_systems_write_them(factory: Factory) -> None:
    korean = next(factory.output.rglob("mes_l02/*.csv")).read_bytes()
    assert korean.decode("cp949").startswith("작업지시번호,")
    with pytest.raises(UnicodeDecodeError):
        korean.decode("utf-8")
    line = next((factory.output / "alpha" / "mes").glob("*.jsonl")).read_text().splitlines()[0]
    assert datetime.fromisoformat(json.loads(line)["start_time"]).utcoffset() is not None


def test_every_row_written_has_an_outcome(factory: Factory) -> None:
    for file in factory.files:
        if file.path.endswith(".jsonl"):
            assert len((factory.output / file.path).read_text().splitlines()) == sum(file.outcomes.values()), file.path
        assert sum(file.rejected.values()) == file.outcomes.get("rejected", 0)


def test_everything_that_goes_wrong_in_real_life_is_in_it(factory: Factory) -> None:
    outcomes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for file in factory.files:
        outcomes.update(file.outcomes)
        reasons.update(file.rejected)
    assert set(outcomes) == {"landed", "corrected", "unchanged", "outdated", "rejected"}
    assert set(BROKEN_WORK_ORDERS) | {"NOT_ALLOWED"} <= set(reasons)


def test_sums_of_the_truth_agree_with_one_another(truth: dict[str, Any]) -> None:
    for row in truth["daily_production"]:
        assert row["good_qty"] + row["defect_qty"] == row["total_qty"]
    per_day: Counter[tuple[str, str, str]] = Counter()
    per_shift: Counter[tuple[str, str, str]] = Counter()
    for row in truth["daily_production"]:
        per_day[row["tenant"], row["date"], row["line_code"]] += row["total_qty"]
    for row in truth["oee"]:
        per_shift[row["tenant"], row["date"], row["line_code"]] += row["total_qty"]
        assert row["oee"] == pytest.approx(row["availability"] * row["performance"] * row["quality"])
        assert 0 < row["oee"] < 1
    assert per_day == per_shift
    assert per_day == {(r["tenant"], r["date"], r["line_code"]): r["total_qty"] for r in truth["oee_line_day"]}


def test_a_shift_lasts_nine_hours_when_the_clocks_go_back(truth: dict[str, Any]) -> None:
    minutes = {
        (row["date"], row["shift"]): row["runtime_minutes"] + row["downtime_minutes"]
        for row in truth["oee"]
        if row["tenant"] == "beta" and row["line_code"] == "L01"
    }
    assert minutes["2026-10-31", "night"] == 540
    assert minutes["2026-11-01", "night"] == 480


def test_there_is_an_empty_day(truth: dict[str, Any]) -> None:
    dates = {row["date"] for row in truth["daily_production"]}
    assert "2026-10-30" not in dates
    assert len(dates) == 7


def test_yesterday_tells_a_story(truth: dict[str, Any]) -> None:
    for tenant, story in truth["story"].items():
        lines = {row["line_code"]: row for row in truth["oee_line_day"] if _is(row, tenant, LAST)}
        worst = min(lines.values(), key=lambda row: row["availability"])
        assert worst["line_code"] == story["breakdown_line"]
        drifting = [
            row["defect_qty"] / row["total_qty"]
            for row in truth["oee_line_day"]
            if row["tenant"] == tenant and row["line_code"] == story["drift_line"]
        ]
        assert drifting[-1] > 3 * drifting[0]
        short = {
            row["product_code"]
            for row in truth["inventory"]
            if _is(row, tenant, LAST) and row["status"] == "below_safety"
        }
        assert short == {story["understocked"]}


def _is(row: dict[str, Any], tenant: str, day: date) -> bool:
    return row["tenant"] == tenant and row["date"] == day.isoformat()


def test_equipment_minutes_are_those_of_the_work_orders_stops(truth: dict[str, Any]) -> None:
    stops = sum(
        row["total_duration_minutes"]
        for row in truth["equipment"]
        if row["tenant"] == "beta" and row["event_type"] == "setup"
    )
    setups = sum(row["setup_time_minutes"] for row in truth["daily_production"] if row["tenant"] == "beta")
    assert stops == setups


def test_numbers_that_make_no_factory_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FactoryError, match="0 days"):
        generate(tmp_path, days=0, lines=1, tenants=1, seed=1, end_date=LAST)


def test_records_ask_for_a_large_factory(tmp_path: Path) -> None:
    output = generate(tmp_path, days=2, lines=2, tenants=2, seed=1, end_date=LAST, records=5000).output
    truth = json.loads((output / "truth.json").read_text())
    assert sum(row["work_order_count"] for row in truth["daily_production"]) == 5000


def test_bulk_totals_are_the_sums_of_the_rows_written(tmp_path: Path) -> None:
    days = [date(2026, 3, 7), date(2026, 3, 8)]  # the clocks of Chicago go forward in the night of the 7th
    plant = make_plants(2, 2)[1]
    told: list[int] = []
    totals = work_orders_bulk(tmp_path / "a", days, 45_001, 3, plant=plant, progress=told.append)
    again = work_orders_bulk(tmp_path / "b", days, 45_001, 3, plant=plant)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    rows = [json.loads(line) for line in (tmp_path / "a").read_text().splitlines()]
    assert len(rows) == len({row["work_order_id"] for row in rows}) == totals.count == again.count == told[-1] == 45_001
    expected = totals.rows()
    for name in ("total_qty", "good_qty", "defect_qty", "runtime_minutes", "downtime_minutes"):
        assert sum(row[name] for row in rows) == sum(row[name] for row in expected)
    for row in rows[::997]:
        elapsed = datetime.fromisoformat(row["end_time"]) - datetime.fromisoformat(row["start_time"])
        assert elapsed.total_seconds() / 60 == row["runtime_minutes"] + row["downtime_minutes"]
        assert row["total_qty"] == row["good_qty"] + row["defect_qty"]
