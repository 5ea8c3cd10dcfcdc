"""A made-up factory from its files to its numbers: every number of truth.json is what the warehouse shows."""

from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from platform_core.factory.contracts import Period
from platform_core.factory.disturbances import make_history
from platform_core.factory.erp_sources import NATIVE, source_files
from platform_core.factory.mock_erp import MockErp, Trouble
from platform_core.factory.plants import make_plants
from platform_core.factory.service import generate
from platform_core.ingest.service import ingest_file, ingest_source
from platform_core.settings import Settings
from platform_core.tenants.service import tenant_home
from platform_core.warehouse.connection import Warehouse
from tests.end_to_end.factory_period import DAYS, LAST, LINES, SEED, TENANTS
from tests.end_to_end.warehouse_of_factory import (
    Plants,
    Row,
    assert_shows,
    build_dirty,
    ingest_manifest,
    open_plants,
    query,
    read_json,
    snapshot,
)

HOURS_THAT_MISS_THE_DAY = """
    select tenant_id, date, line_code, product_code, hour.total_qty, day.total_qty
    from (
        select tenant_id, date, line_code, product_code, sum(total_qty) as total_qty, sum(good_qty) as good_qty,
            sum(runtime_minutes) as runtime_minutes, sum(downtime_minutes) as downtime_minutes
        from bi.fact_hourly_production group by 1, 2, 3, 4
    ) as hour
    full join (
        select tenant_id, date, line_code, product_code, sum(total_qty) as total_qty, sum(good_qty) as good_qty,
            sum(runtime_minutes) as runtime_minutes, sum(downtime_minutes) as downtime_minutes
        from bi.fact_daily_production group by 1, 2, 3, 4
    ) as day using (tenant_id, date, line_code, product_code)
    where (hour.total_qty, hour.good_qty, hour.runtime_minutes, hour.downtime_minutes)
        is distinct from (day.total_qty, day.good_qty, day.runtime_minutes, day.downtime_minutes)
"""
VERSIONED = {"takt_mes_work_order", "takt_order"}


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("factory")
    return generate(folder, days=DAYS, lines=LINES, tenants=TENANTS, seed=SEED, end_date=LAST).output


@pytest.fixture(scope="module")
def manifest(output: Path) -> Row:
    return read_json(output / "manifest.json")


@pytest.fixture(scope="module")
def truth(output: Path) -> Row:
    return read_json(output / "truth.json")


@pytest.fixture
def plants(warehouse: Warehouse, settings: Settings, manifest: Row) -> Plants:
    return open_plants(warehouse, settings, manifest)


def _rows_without_changes(truth: Row, mapping_of: dict[str, str]) -> dict[str, Row]:
    """What a second ingest must report for files whose records carry a version, or never change."""
    steady = VERSIONED | {"takt_equipment_event"}
    return {
        file["path"]: {
            "unchanged": sum(file["outcomes"].values()) - file["outcomes"].get("rejected", 0),
            "rejected": file["outcomes"].get("rejected", 0),
        }
        for file in truth["files"]
        if mapping_of[file["path"]] in steady
    }


def test_the_warehouse_shows_the_truth_and_the_same_files_again_change_nothing(
    plants: Plants, output: Path, manifest: Row, truth: Row
) -> None:
    results = ingest_manifest(plants, output)
    for file in truth["files"]:
        result = results[file["path"]]
        outcomes = {name: count for name, count in vars(result.outcomes).items() if count}
        assert outcomes == file["outcomes"], file["path"]
        assert dict(result.rejected_by_code) == file["rejected"], file["path"]
    runs = build_dirty(plants.warehouse)
    assert not [run.failed for run in runs if run.failed]
    fits = [check for run in runs for check in run.checks if check.check == "time_fits_the_shift"]
    assert sum(check.total_rows for check in fits) > 0
    assert all(check.passed for check in fits), "a made-up line ran for longer than its shift lasts"
    assert_shows(plants.warehouse, truth)
    assert not query(plants.warehouse, HOURS_THAT_MISS_THE_DAY)

    before = snapshot(plants.warehouse)
    again = ingest_manifest(plants, output)
    mapping_of = {file["path"]: file["mapping"] for file in manifest["files"]}
    for path, expected in _rows_without_changes(truth, mapping_of).items():
        outcomes = vars(again[path].outcomes)
        assert {name: outcomes[name] for name in expected} == expected, path
        assert not again[path].dates, path
    assert sum(result.outcomes.landed + result.outcomes.corrected for result in again.values()) == 0
    build_dirty(plants.warehouse)
    assert snapshot(plants.warehouse) == before
    rejects = query(
        plants.warehouse,
        "select tenant.slug as tenant, reason_code, count(*) as count from core.rejected_record "
        "inner join core.tenants as tenant on tenant.id = tenant_id group by 1, 2 order by 1, 2",
    )
    assert rejects == [dict(row) | {"count": row["count"] * 2} for row in truth["rejected"]]


def test_files_find_their_mapping_by_their_headers(plants: Plants, output: Path, manifest: Row) -> None:
    kinds = {file["mapping"]: file for file in manifest["files"]}
    for mapping, file in kinds.items():
        (load,) = ingest_file(plants.ingest(file["tenant"]), output / file["path"]).loads
        assert load.mapping == mapping
        assert load.result.outcomes.landed > 0


def test_records_with_a_version_give_the_same_facts_in_any_order_and_repetition(
    plants: Plants, output: Path, manifest: Row, truth: Row
) -> None:
    beta = [file for file in manifest["files"] if file["tenant"] == "beta"]
    master = [file for file in beta if "/master/" in file["path"]]
    dated = [file for file in beta if file["mapping"] in VERSIONED]
    random = Random(5)
    ingest_manifest(plants, output, random.sample(dated, len(dated)))
    ingest_manifest(plants, output, random.sample(master, len(master)))
    ingest_manifest(plants, output, random.sample(dated, len(dated) // 2))
    build_dirty(plants.warehouse)
    names = ("daily_production", "daily_defect", "oee", "orders")
    assert_shows(
        plants.warehouse, {name: [row for row in truth[name] if row["tenant"] == "beta"] for name in names}, names
    )


def test_the_erp_by_rest_tells_the_same_and_a_second_pull_nothing_new(
    plants: Plants, output: Path, manifest: Row, truth: Row
) -> None:
    ingest_manifest(plants, output, [file for file in manifest["files"] if "/master/" in file["path"]])
    with MockErp(_histories(), trouble=Trouble(share=0.6, retry_after_seconds=0, slow_seconds=0.05)) as erp:
        for slug in plants.tenants:
            _configure(plants, slug, erp.url)
            for name in NATIVE:
                (load,) = ingest_source(plants.ingest(slug), name).loads
                assert load.result.outcomes.landed == load.result.outcomes.rows_read > 0
        build_dirty(plants.warehouse)
        assert_shows(plants.warehouse, truth)
        assert erp.requests.keys() >= {200, 429, 500}
        for name in NATIVE:
            (load,) = ingest_source(plants.ingest("beta"), name).loads
            assert load.result.outcomes.unchanged == load.result.outcomes.rows_read
            assert 0 < load.result.outcomes.rows_read < 20, f"{name} did not go on from its watermark"


def test_erpnext_job_cards_tell_the_same_production(plants: Plants, output: Path, manifest: Row, truth: Row) -> None:
    ingest_manifest(plants, output, [f for f in manifest["files"] if "/master/" in f["path"] and f["tenant"] == "beta"])
    with MockErp(_histories(), trouble=Trouble(share=0.05, retry_after_seconds=0, slow_seconds=0)) as erp:
        _configure(plants, "beta", erp.url)
        for name in ("erpnext_job_cards", "erpnext_downtime"):
            (load,) = ingest_source(plants.ingest("beta"), name).loads
            assert load.result.outcomes.landed == load.result.outcomes.rows_read > 0
    build_dirty(plants.warehouse)
    columns = ("date", "line_code", "product_code", "shift", "total_qty", "good_qty", "defect_qty", "runtime_minutes")
    expected = [{name: row[name] for name in ("tenant", *columns)} for row in truth["daily_production"]]
    assert_shows(
        plants.warehouse,
        {"daily_production": [row for row in expected if row["tenant"] == "beta"]},
        ["daily_production"],
    )
    minutes: dict[str, float] = defaultdict(float)
    for row in query(plants.warehouse, "select date, total_duration_minutes from bi.fact_equipment_event"):
        minutes[row["date"].isoformat()] += float(row["total_duration_minutes"])
    assert minutes == _breakdown_minutes(truth)


def _breakdown_minutes(truth: Row) -> dict[str, float]:
    minutes: dict[str, float] = defaultdict(float)
    for row in truth["equipment"]:
        if row["tenant"] == "beta" and row["event_type"] == "breakdown":
            minutes[row["date"]] += row["total_duration_minutes"]
    return minutes


def _histories() -> list:  # type: ignore[type-arg]
    period = Period(LAST - timedelta(days=DAYS - 1), LAST, orders_per_shift=4, seed=SEED)
    return [make_history(plant, period) for plant in make_plants(TENANTS, LINES)]


def _configure(plants: Plants, slug: str, url: str) -> None:
    folder = tenant_home(plants.settings, slug) / "sources"
    folder.mkdir(parents=True)
    for name, text in source_files(url, slug).items():
        (folder / f"{name}.yml").write_text(text.replace("reader:", "reader:\n  backoff_seconds: 0.01"))
