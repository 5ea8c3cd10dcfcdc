"""Master data: the current version only, and what a change of it makes dirty or moves."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from platform_core.ingest.contracts import LoadResult, MappedRecord
from platform_core.ingest.service import SEED_SYSTEM, load_seeds
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.warehouse.connection import Warehouse, transaction
from platform_core.warehouse.maintenance import ensure_partitions
from tests.ingest.landing_help import (
    NOW,
    clear_dirty,
    counts,
    current,
    dirty,
    load,
    load_shifts,
    project,
    rows,
    work_order,
)


def master(
    warehouse: Warehouse,
    settings: Settings,
    tenant: Tenant,
    record_type: str,
    *payloads: dict[str, Any],
    **options: Any,
) -> LoadResult:
    version = options.pop("version", None)
    items = [MappedRecord(n, "", version, payload, str(payload)) for n, payload in enumerate(payloads, start=1)]
    return load(warehouse, settings, tenant, items, record_type=record_type, **options)


def line(code: str = "L01", **fields: Any) -> dict[str, Any]:
    return {"line_code": code, "name": code} | fields


def publish_fact(warehouse: Warehouse, tenant: Tenant, day: date, product: str) -> None:
    """A row of the published fact, as if made before the master data came."""
    with transaction(warehouse) as conn:
        ensure_partitions(conn, "bi.fact_daily_production", day, day, by="quarter")
        conn.execute(
            "insert into bi.fact_daily_production (tenant_id, date, line_code, product_code, shift, total_qty,"
            " good_qty, defect_qty, work_order_count) values (%s, %s, 'L01', %s, 'day', 1, 1, 0, 1)",
            [tenant.id, day, product],
        )


def test_master_data_has_the_same_outcomes_and_keeps_the_current_version(
    warehouse: Warehouse, settings: Settings, tenant: Tenant
) -> None:
    args = (warehouse, settings, tenant, "line")
    assert master(*args, line(), line("L02")).outcomes == counts(landed=2)
    assert master(*args, line(), line("L02", name="B"), line("L02", name="C")).outcomes == counts(
        unchanged=1, corrected=2
    )
    assert master(*args, line("L02", name="old"), version=5).outcomes == counts(outdated=1)
    assert master(*args, {"line_code": "L03"}).outcomes == counts(rejected=1)
    assert rows(warehouse, "select source_pk, raw_data ->> 'name' from core.master_record order by 1") == [
        ("L01", "L01"),
        ("L02", "C"),
    ]
    assert dirty(warehouse, "bi.dim_line") == ["1970-01-01"]


def test_unchanged_master_data_marks_nothing(warehouse: Warehouse, settings: Settings, tenant: Tenant) -> None:
    master(warehouse, settings, tenant, "line", line())
    clear_dirty(warehouse)
    master(warehouse, settings, tenant, "line", line())
    assert dirty(warehouse, "bi.dim_line") == []


def test_a_cycle_time_marks_the_published_dates_that_were_made_without_it(
    warehouse: Warehouse, settings: Settings, tenant: Tenant
) -> None:
    publish_fact(warehouse, tenant, date(2026, 3, 9), "P001")
    publish_fact(warehouse, tenant, date(2026, 3, 6), "P002")
    cycle = {"line_code": "L01", "product_code": "P001", "ideal_cycle_sec": 18}
    result = master(warehouse, settings, tenant, "cycle_time", cycle)
    assert [str(day) for day in result.dates] == ["2026-03-09"]
    assert dirty(warehouse, "bi.fact_daily_production") == ["2026-03-09"]
    clear_dirty(warehouse)
    product = {"product_code": "P002", "name": "P", "target_cycle_time_sec": 45}
    assert [str(day) for day in master(warehouse, settings, tenant, "product", product).dates] == ["2026-03-06"]
    clear_dirty(warehouse)
    master(warehouse, settings, tenant, "product", product | {"name_en": "renamed"})
    assert dirty(warehouse, "bi.fact_daily_production") == []
    assert dirty(warehouse, "bi.dim_product") == ["1970-01-01"]


def test_a_change_of_a_lines_zone_redates_its_records_as_corrections(
    warehouse: Warehouse, settings: Settings, tenant: Tenant
) -> None:
    load_shifts(warehouse, settings, tenant)
    night: dict[str, Any] = {
        "start_time": "2026-03-09T01:00:00+09:00",
        "end_time": "2026-03-09T07:00:00+09:00",
        "shift": None,
    }
    sent = [work_order("A", **night), work_order("B", number=2, line_code="L02", **night), work_order("C", number=3)]
    load(warehouse, settings, tenant, sent)
    assert {pk: day for pk, (day, _) in current(warehouse).items()} == dict.fromkeys("ABC", "2026-03-09")
    clear_dirty(warehouse)

    result = master(warehouse, settings, tenant, "line", line(timezone="Europe/Berlin"), now=NOW + timedelta(hours=1))
    # 01:00 in Seoul is 17:00 of the day before in Berlin; C says `day` itself, and 00:00 in Berlin is nearest to that.
    assert {pk: day for pk, (day, _) in current(warehouse).items()} == {
        "A": "2026-03-08",
        "B": "2026-03-09",
        "C": "2026-03-09",
    }
    assert dirty(warehouse) == ["2026-03-08", "2026-03-09"]
    assert [str(day) for day in result.dates] == ["2026-03-08", "2026-03-09"]
    stored = "select business_date::text, is_current, raw_data ->> 'shift', source_row::int from core.erp_mes_data"
    assert rows(warehouse, f"{stored} where source_pk = 'A' order by 1") == [
        ("2026-03-08", True, "evening", 1),
        ("2026-03-09", False, "night", 1),
    ]
    again = load(warehouse, settings, tenant, sent, now=NOW + timedelta(hours=2))
    assert again.outcomes == counts(unchanged=3)


def test_a_change_of_shifts_redates_and_renames_what_landing_had_found(
    warehouse: Warehouse, settings: Settings, tenant: Tenant
) -> None:
    load_shifts(warehouse, settings, tenant)
    late: dict[str, Any] = {"start_time": "2026-03-09T23:00:00+09:00", "end_time": "2026-03-10T03:00:00+09:00"}
    early: dict[str, Any] = {"start_time": "2026-03-09T02:00:00+09:00", "end_time": "2026-03-09T05:00:00+09:00"}
    load(
        warehouse,
        settings,
        tenant,
        [work_order("A", shift=None, **late), work_order("B", number=2, shift="night", **early)],
    )
    clear_dirty(warehouse)
    night = {"shift_code": "night", "name": "night", "start_time": "22:00:00", "end_time": "06:00:00"}
    evening = {"shift_code": "evening", "name": "evening", "start_time": "14:00:00", "end_time": "22:00:00"}
    master(warehouse, settings, tenant, "shift", night, evening)
    assert {pk: day for pk, (day, _) in current(warehouse).items()} == {"A": "2026-03-09", "B": "2026-03-08"}
    shifts = "select source_pk, raw_data ->> 'shift' from core.erp_mes_data where is_current order by 1"
    assert rows(warehouse, shifts) == [("A", "night"), ("B", "night")]
    assert dirty(warehouse) == ["2026-03-08", "2026-03-09"]


def test_a_date_that_the_mapping_names_is_not_moved(warehouse: Warehouse, settings: Settings, tenant: Tenant) -> None:
    given = MappedRecord(1, "A", None, work_order("A").payload, "text", business_date=NOW.date() - timedelta(days=3))
    load(warehouse, settings, tenant, [given])
    master(warehouse, settings, tenant, "line", line(timezone="America/Los_Angeles"))
    assert current(warehouse) == {"A": ("2026-03-07", 1500)}


def test_a_load_whose_calendar_changes_under_it_is_dated_by_the_new_one(
    warehouse: Warehouse, settings: Settings, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform_core.ingest.landing.BATCH_ROWS", 1)
    load_shifts(warehouse, settings, tenant)
    night: dict[str, Any] = {
        "start_time": "2026-03-09T01:00:00+09:00",
        "end_time": "2026-03-09T07:00:00+09:00",
        "shift": None,
    }

    def items():
        yield work_order("A", **night)
        master(warehouse, settings, tenant, "line", line(timezone="Europe/Berlin"))
        yield work_order("B", number=2, **night)

    # The first batch waits to be committed while the master data want to change: it must not be the one we wait for.
    monkeypatch.setattr("platform_core.ingest.landing.COMMIT_ROWS", 1)
    result = load(warehouse, settings, tenant, items())
    assert result.outcomes == counts(landed=2)
    assert {pk: day for pk, (day, _) in current(warehouse).items()} == dict.fromkeys("AB", "2026-03-08")


def test_seeds_land_once_and_never_win_over_the_plants_own(
    warehouse: Warehouse, settings: Settings, tenant: Tenant, tmp_path: Path
) -> None:
    seed = tmp_path / "shift.csv"
    seed.write_text("shift_code,name,start_time,end_time\nday,Day,08:00,16:00\nnight,Night,00:00,08:00\n")
    first = load_seeds(warehouse, settings, project(), tenant, tmp_path, now=NOW)
    assert first.outcomes == counts(landed=2)
    assert load_seeds(warehouse, settings, project(), tenant, tmp_path, now=NOW).loads == ()
    own = {"shift_code": "day", "name": "주간", "start_time": "07:00:00", "end_time": "15:00:00"}
    assert master(warehouse, settings, tenant, "shift", own).outcomes == counts(corrected=1)
    seed.write_text("shift_code,name,start_time,end_time\nday,Day,09:00,17:00\nnight,Night,00:00,09:00\n")
    second = load_seeds(warehouse, settings, project(), tenant, tmp_path, now=NOW)
    assert second.outcomes == counts(outdated=1, corrected=1)
    found = "select raw_data ->> 'name', source_system from core.master_record order by 1"
    assert rows(warehouse, found) == [("Night", SEED_SYSTEM), ("주간", "MES")]
