"""A made-up factory from its files to its numbers: every number of truth.json is what the warehouse shows."""

from pathlib import Path
from random import Random

import pytest

from platform_core.factory.service import generate
from platform_core.settings import Settings
from platform_core.warehouse.connection import Warehouse
from tests.end_to_end.factory_period import LAST
from tests.end_to_end.warehouse_of_factory import (
    Row,
    assert_shows,
    build_dirty,
    ingest_manifest,
    open_plants,
    query,
    read_json,
    snapshot,
)


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("factory"), days=6, lines=3, tenants=2, seed=11, end_date=LAST).output


@pytest.fixture(scope="module")
def truth(output: Path) -> Row:
    return read_json(output / "truth.json")


def test_the_warehouse_shows_the_truth_and_a_second_ingest_changes_nothing(
    warehouse: Warehouse, settings: Settings, output: Path, truth: Row
) -> None:
    plants = open_plants(warehouse, settings, read_json(output / "manifest.json"))
    results = ingest_manifest(plants, output)
    for file in truth["files"]:
        result = results[file["path"]]
        outcomes = {name: count for name, count in vars(result.outcomes).items() if count}
        assert outcomes == file["outcomes"], file["path"]
        assert dict(result.rejected_by_code) == file["rejected"], file["path"]
    runs = build_dirty(warehouse)
    assert not [run.failed for run in runs if run.failed]
    assert_shows(warehouse, truth)

    before = snapshot(warehouse)
    for result in ingest_manifest(plants, output).values():
        changed = result.outcomes
        assert changed.landed == changed.outdated == 0
    build_dirty(warehouse)
    assert snapshot(warehouse) == before
    rejects = query(
        warehouse,
        "select tenant.slug as tenant, reason_code, count(*) as count from core.rejected_record "
        "inner join core.tenants as tenant on tenant.id = tenant_id group by 1, 2 order by 1, 2",
    )
    assert rejects == [dict(row) | {"count": row["count"] * 2} for row in truth["rejected"]]
