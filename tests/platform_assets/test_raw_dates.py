"""`raw/<record type>` of past dates pulls those dates; what runs by itself pulls what is new."""

from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from tests.platform_assets.place import Place
from tests.platform_assets.test_operations import MES_FILE, _execute, _source

DAYS = ("2024-03-04", "2024-03-05", "2024-03-06")


@pytest.fixture
def fed(place: Place, tmp_path: Path) -> Place:
    for number, day in enumerate(DAYS, 1):
        text = MES_FILE.replace("2024-03-04", day).replace("WO-1", f"WO-{number}")
        (tmp_path / f"mes-{day}.csv").write_text(text)
    _source(place, "mes", f"mapping: takt_mes_work_order\npath: {tmp_path}/mes-{{date}}.csv\n")
    return place


def landed(place: Place, **tags: str) -> list[date]:
    chosen = {"dagster/asset_partition_range_start": DAYS[0], "dagster/asset_partition_range_end": DAYS[1]}
    result = _execute(place, "daily", [dg.AssetKey(["raw", "work_order"])], **chosen, **tags)
    assert result.success
    return [day for (day,) in place.rows("select business_date from core.erp_mes_data order by 1")]


def test_a_person_who_chooses_past_dates_gets_those_dates(fed: Place) -> None:
    assert landed(fed) == [date.fromisoformat(day) for day in DAYS[:2]]


@pytest.mark.parametrize("tag", ["dagster/schedule_name", "dagster/sensor_name"])
def test_a_run_that_nobody_asked_for_pulls_everything_that_is_new(fed: Place, tag: str) -> None:
    assert landed(fed, **{tag: "by_itself"}) == [date.fromisoformat(day) for day in DAYS]
