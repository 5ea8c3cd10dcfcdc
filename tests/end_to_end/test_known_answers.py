"""Answers known beforehand, through the whole path: a record as the MES sends it, to the number that is shown."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.warehouse.connection import Warehouse
from tests.end_to_end.warehouse_of_factory import Plants, Row, build_dirty, land_rows, query

SAMPLE: Row = {
    "work_order_id": "WO-1",
    "line_code": "L01",
    "equipment_code": "EQ-1",
    "product_code": "P001",
    "shift": "day",
    "operator_id": "OP-1",
    "start_time": "2025-11-20T08:00:00+09:00",
    "end_time": "2025-11-20T16:00:00+09:00",
    "total_qty": 1500,
    "good_qty": 1390,
    "defect_qty": 110,
    "defect_details": [{"type": "scratch", "qty": 70}, {"type": "dent", "qty": 40}],
    "cycle_time_avg_sec": 16.8,
    "runtime_minutes": 420,
    "downtime_minutes": 60,
    "downtime_reasons": [{"reason": "setup", "minutes": 20}, {"reason": "breakdown", "minutes": 40}],
    "updated_at": "2025-11-20T16:05:00+09:00",
}
SHIFTS = (("day", "08:00", "16:00", 1), ("evening", "16:00", "00:00", 2), ("night", "00:00", "08:00", 3))
CROSSING = (("day", "06:00", "14:00", 1), ("evening", "14:00", "22:00", 2), ("night", "22:00", "06:00", 3))

Plant = Callable[..., Plants]


@pytest.fixture
def plant(warehouse: Warehouse, settings: Settings, tenant: Tenant) -> Plant:
    """A plant with one line, two products, and the shifts asked for."""

    def make(shifts: tuple[tuple[str, str, str, int], ...] = SHIFTS, timezone: str = "Asia/Seoul") -> Plants:
        plants = Plants(warehouse, settings, {"default": tenant})
        line = {"line_code": "L01", "name": "Line 1", "plant_code": "KR01", "timezone": timezone}
        _master(plants, "takt_line", [line])
        _master(plants, "takt_product", [{"product_code": "P001", "name": "A", "target_cycle_time_sec": 45}])
        _master(plants, "takt_cycle_time", [{"line_code": "L01", "product_code": "P001", "ideal_cycle_sec": 18}])
        rows = [
            {"shift_code": code, "name": code, "start_time": start, "end_time": end, "shift_order": order}
            for code, start, end, order in shifts
        ]
        _master(plants, "takt_shift", rows)
        return plants

    return make


def _master(plants: Plants, mapping: str, rows: list[Row]) -> None:
    assert land_rows(plants, "default", rows, mapping).outcomes.landed == len(rows)


def _order(number: int, **changes: Any) -> Row:
    return SAMPLE | {"work_order_id": f"WO-{number}"} | changes


def _quantity(number: int, total: int, **changes: Any) -> Row:
    return _order(number, total_qty=total, good_qty=total, defect_qty=0, defect_details=[], **changes)


def _facts(plants: Plants) -> dict[date, int]:
    """Pieces by production date."""
    build_dirty(plants.warehouse)
    rows = query(
        plants.warehouse, "select date, sum(total_qty) as total from bi.fact_daily_production group by date order by 1"
    )
    return {row["date"]: int(row["total"]) for row in rows}


def _day(number: int) -> date:
    return date(2025, 11, number)


def test_the_sample_record_gives_oee_0_8688(plant: Plant) -> None:
    plants = plant()
    land_rows(plants, "default", [SAMPLE])
    build_dirty(plants.warehouse)
    (row,) = query(plants.warehouse, "select * from bi.mv_oee_daily")
    assert float(row["availability"]) == 0.875
    assert round(float(row["performance"]), 4) == 1.0714
    assert round(float(row["quality"]), 5) == 0.92667
    assert round(float(row["oee"]), 4) == 0.8688
    assert row["setup_time_minutes"] == 20
    (day,) = query(plants.warehouse, "select total_qty, defect_qty, oee from bi.mv_line_performance")
    assert (day["total_qty"], day["defect_qty"], round(float(day["oee"]), 4)) == (1500, 110, 0.8688)
    defects = query(plants.warehouse, "select defect_type, defect_qty from bi.fact_daily_defect order by 1")
    assert [(each["defect_type"], each["defect_qty"]) for each in defects] == [("dent", 40), ("scratch", 70)]


def test_a_late_row_is_added_to_what_was_there(plant: Plant) -> None:
    plants = plant()
    land_rows(plants, "default", [_quantity(1, 1500)])
    assert _facts(plants) == {_day(20): 1500}
    land_rows(plants, "default", [_quantity(2, 100)])
    assert _facts(plants) == {_day(20): 1600}


def test_a_correction_takes_the_place_of_what_it_corrects_and_keeps_it(plant: Plant) -> None:
    plants = plant()
    land_rows(plants, "default", [_quantity(1, 1500)])
    assert _facts(plants) == {_day(20): 1500}
    later = {"updated_at": "2025-11-21T09:00:00+09:00"}
    assert land_rows(plants, "default", [_quantity(1, 1400, **later)]).outcomes.corrected == 1
    assert _facts(plants) == {_day(20): 1400}
    versions = query(
        plants.warehouse,
        "select raw_data ->> 'total_qty' as total, is_current from core.erp_mes_data order by source_version",
    )
    assert [(each["total"], each["is_current"]) for each in versions] == [("1500", False), ("1400", True)]


def test_a_bad_correction_leaves_the_good_version_standing(plant: Plant) -> None:
    plants = plant()
    land_rows(plants, "default", [_quantity(1, 1500)])
    bad = _quantity(1, 1500, updated_at="2025-11-21T09:00:00+09:00") | {"good_qty": 1499}
    assert land_rows(plants, "default", [bad]).rejected_by_code == {"TOTAL_MISMATCH": 1}
    assert _facts(plants) == {_day(20): 1500}


def test_a_record_that_moves_to_another_date_leaves_the_old_one(plant: Plant) -> None:
    plants = plant()
    land_rows(plants, "default", [_quantity(1, 1500), _quantity(2, 300, **_times("2025-11-19", "08:00", "10:00"))])
    assert _facts(plants) == {_day(19): 300, _day(20): 1500}
    moved = _quantity(1, 1500, **_times("2025-11-18", "08:00", "16:00"), updated_at="2025-11-21T09:00:00+09:00")
    land_rows(plants, "default", [moved])
    assert _facts(plants) == {_day(18): 1500, _day(19): 300}


def _times(day: str, start: str, end: str, offset: str = "+09:00") -> Row:
    return {"start_time": f"{day}T{start}:00{offset}", "end_time": f"{day}T{end}:00{offset}"}


def test_a_night_shift_belongs_to_the_date_on_which_it_began(plant: Plant) -> None:
    plants = plant(CROSSING)
    land_rows(
        plants,
        "default",
        [
            _quantity(1, 10, shift="night", **_times("2025-11-20", "22:30", "23:30")),
            _quantity(2, 20, shift="night", **_times("2025-11-21", "02:00", "03:00")),
            _quantity(3, 40, shift="day", **_times("2025-11-21", "06:00", "07:00")),
        ],
    )
    assert _facts(plants) == {_day(20): 30, _day(21): 40}


def test_a_night_shift_after_midnight_is_the_new_dates_first(plant: Plant) -> None:
    plants = plant(SHIFTS)
    rows = [
        _quantity(1, 10, shift="evening", **_times("2025-11-20", "23:00", "23:59")),
        _quantity(2, 20, shift="night", **_times("2025-11-21", "00:00", "01:00")),
    ]
    land_rows(plants, "default", rows)
    assert _facts(plants) == {_day(20): 10, _day(21): 20}


def test_the_zone_of_the_line_decides_and_not_the_tenants(plant: Plant) -> None:
    plants = plant(SHIFTS, timezone="America/Chicago")
    # 20:00 in Chicago on the 20th is noon of the 21st in Seoul, the tenant's zone.
    land_rows(
        plants, "default", [_quantity(1, 10, shift="evening", **_times("2025-11-21", "02:00", "03:00", "+00:00"))]
    )
    assert _facts(plants) == {_day(20): 10}


@pytest.mark.parametrize(
    ("night", "hours", "before", "after"),
    [
        (date(2025, 3, 8), 7, "-06:00", "-05:00"),  # the clocks go forward at 02:00 on the 9th
        (date(2025, 11, 1), 9, "-05:00", "-06:00"),  # and back at 02:00 on the 2nd
    ],
)
def test_the_night_in_which_the_clocks_change(plant: Plant, night: date, hours: int, before: str, after: str) -> None:
    plants = plant(CROSSING, timezone="America/Chicago")
    morning = date(night.year, night.month, night.day + 1)
    runtime = hours * 60
    rows = [
        _quantity(
            1,
            100,
            shift="night",
            start_time=f"{night}T22:00:00{before}",
            end_time=f"{morning}T06:00:00{after}",
            runtime_minutes=runtime,
            downtime_minutes=0,
            downtime_reasons=[],
        ),
        _quantity(2, 5, shift="night", start_time=f"{morning}T05:30:00{after}", end_time=f"{morning}T05:45:00{after}"),
        _quantity(3, 7, shift="day", start_time=f"{morning}T06:00:00{after}", end_time=f"{morning}T06:30:00{after}"),
    ]
    land_rows(plants, "default", rows)
    assert _facts(plants) == {night: 105, morning: 7}
    by_hour = query(
        plants.warehouse,
        "select count(*) as hours, sum(total_qty) as total from bi.fact_hourly_production where date = %s",
        night,
    )
    assert by_hour == [{"hours": hours, "total": 105}]


def test_what_is_not_known_is_null_and_not_zero(plant: Plant) -> None:
    plants = plant()
    rows = [
        _quantity(1, 0, runtime_minutes=0, downtime_minutes=480, downtime_reasons=[], cycle_time_avg_sec=None),
        _quantity(2, 50, line_code="L99", product_code="P404", runtime_minutes=10, downtime_minutes=0),
    ]
    assert land_rows(plants, "default", rows).outcomes.landed == 2
    build_dirty(plants.warehouse)
    (idle,) = query(plants.warehouse, "select * from bi.mv_oee_daily where line_code = 'L01'")
    assert idle["availability"] == 0
    assert idle["performance"] is idle["quality"] is idle["oee"] is None
    (unknown,) = query(plants.warehouse, "select * from bi.mv_oee_daily where line_code = 'L99'")
    assert unknown["quality"] == 1
    assert unknown["performance"] is unknown["oee"] is unknown["line_name"] is None
    warned = query(
        plants.warehouse, "select distinct model from bi.data_quality_checks where status = 'warning' order by 1"
    )
    assert "bi.fact_daily_production" in {each["model"] for each in warned}


def test_a_day_without_records_has_no_rows_and_fails_nothing(plant: Plant) -> None:
    plants = plant()
    land_rows(plants, "default", [])
    assert _facts(plants) == {}
