"""How each row of a load ends, on the real database."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from platform_core.ingest.contracts import MappedRecord, Rejection
from platform_core.ingest.errors import StrictLoadError, UnknownRecordTypeError
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.warehouse.connection import Warehouse, transaction
from tests.ingest.landing_help import (
    NOW,
    clear_dirty,
    counts,
    current,
    dirty,
    load,
    load_shifts,
    rows,
    work_order,
)


def test_a_new_record_lands_on_its_production_date_and_marks_it(
    warehouse: Warehouse, settings: Settings, tenant: Tenant
) -> None:
    load_shifts(warehouse, settings, tenant)
    result = load(warehouse, settings, tenant, [work_order()])
    assert result.outcomes == counts(landed=1)
    assert [str(day) for day in result.dates] == ["2026-03-09"]
    assert current(warehouse) == {"WO-1": ("2026-03-09", 1500)}
    assert dirty(warehouse) == ["2026-03-09"]
    assert rows(
        warehouse, "select status, rows_read, landed, error from core.load where record_type = 'work_order'"
    ) == [("succeeded", 1, 1, None)]


def test_the_same_file_twice_changes_nothing(warehouse: Warehouse, settings: Settings, tenant: Tenant) -> None:
    items = [work_order("A"), work_order("B", number=2, version=7)]
    load(warehouse, settings, tenant, items)
    clear_dirty(warehouse)
    result = load(warehouse, settings, tenant, items, now=NOW + timedelta(hours=1))
    assert result.outcomes == counts(unchanged=2)
    assert result.dates == ()
    assert dirty(warehouse) == []
    assert rows(warehouse, "select count(*) from core.erp_mes_data") == [(2,)]


@pytest.mark.parametrize(
    ("stored", "comes", "outcome", "total"),
    [
        ((None, 10), (None, 10), "unchanged", 10),
        ((None, 10), (None, 11), "corrected", 11),
        ((5, 10), (5, 10), "unchanged", 10),
        ((5, 10), (5, 11), "corrected", 11),
        ((5, 10), (6, 10), "corrected", 10),
        ((5, 10), (6, 11), "corrected", 11),
        ((5, 10), (4, 11), "outdated", 10),
        ((5, 10), (4, 10), "outdated", 10),
        ((5, 10), (None, 10), "unchanged", 10),
        ((5, 10), (None, 11), "corrected", 11),
    ],
)
@pytest.mark.parametrize("together", [False, True], ids=["one load each", "one load"])
def test_outcome_of_a_second_version(
    warehouse: Warehouse,
    settings: Settings,
    tenant: Tenant,
    stored: tuple[int | None, int],
    comes: tuple[int | None, int],
    outcome: str,
    total: int,
    together: bool,
) -> None:
    first = work_order(version=stored[0], total_qty=stored[1], good_qty=stored[1], defect_qty=0)
    second = work_order(number=2, version=comes[0], total_qty=comes[1], good_qty=comes[1], defect_qty=0)
    if together:
        outcomes = load(warehouse, settings, tenant, [first, second]).outcomes
        assert outcomes.landed == 1
    else:
        load(warehouse, settings, tenant, [first])
        outcomes = load(warehouse, settings, tenant, [second]).outcomes
    assert getattr(outcomes, outcome) == 1
    assert current(warehouse) == {"WO-1": ("2026-03-09", total)}
    stored_rows = rows(warehouse, "select count(*), count(*) filter (where is_current) from core.erp_mes_data")
    assert stored_rows == [(1 if outcome == "unchanged" else 2, 1)]


def test_a_version_that_was_superseded_and_comes_again_is_unchanged(
    warehouse: Warehouse, settings: Settings, tenant: Tenant
) -> None:
    old, new = work_order(version=1), work_order(version=2, operator_id="OP1")
    load(warehouse, settings, tenant, [old])
    load(warehouse, settings, tenant, [new])
    assert load(warehouse, settings, tenant, [old]).outcomes == counts(unchanged=1)
    assert load(warehouse, settings, tenant, [old, new, old]).outcomes == counts(unchanged=3)
    assert rows(warehouse, "select count(*) from core.erp_mes_data") == [(2,)]


def test_a_correction_that_moves_a_record_leaves_the_old_date(
    warehouse: Warehouse, settings: Settings, tenant: Tenant
) -> None:
    load(warehouse, settings, tenant, [work_order()])
    clear_dirty(warehouse)
    moved = work_order(start_time="2026-03-08T08:00:00+09:00", end_time="2026-03-08T16:00:00+09:00")
    result = load(warehouse, settings, tenant, [moved])
    assert result.outcomes == counts(corrected=1)
    assert current(warehouse) == {"WO-1": ("2026-03-08", 1500)}
    assert dirty(warehouse) == ["2026-03-08", "2026-03-09"]
    assert rows(warehouse, "select business_date::text, is_current from core.erp_mes_data order by 1") == [
        ("2026-03-08", True),
        ("2026-03-09", False),
    ]


def test_a_bad_correction_leaves_the_stored_version_standing(
    warehouse: Warehouse, settings: Settings, tenant: Tenant
) -> None:
    load(warehouse, settings, tenant, [work_order()])
    result = load(warehouse, settings, tenant, [work_order(number=4, good_qty=-1)])
    assert result.outcomes == counts(rejected=1)
    assert result.rejected_by_code == {"NEGATIVE": 1}
    assert current(warehouse) == {"WO-1": ("2026-03-09", 1500)}
    kept = "select source_row, reason_code, field, value, original, status from core.rejected_record"
    assert rows(warehouse, kept) == [(4, "NEGATIVE", "good_qty", "-1", "text of WO-1", "open")]


def test_a_record_for_a_sealed_date_lands_late_and_marks_nothing(
    warehouse: Warehouse, settings: Settings, tenant: Tenant
) -> None:
    with transaction(warehouse) as conn:
        conn.execute("insert into core.archived_partition values ('2026-03-01', '2026-03-31', 'march.parquet', now())")
    february: dict[str, Any] = {"start_time": "2026-02-09T08:00:00+09:00", "end_time": "2026-02-09T16:00:00+09:00"}
    result = load(warehouse, settings, tenant, [work_order(), work_order("WO-2", number=2, **february)])
    assert result.outcomes == counts(late_sealed=1, landed=1)
    assert dirty(warehouse) == ["2026-02-09"]
    assert current(warehouse) == {"WO-1": ("2026-03-09", 1500), "WO-2": ("2026-02-09", 1500)}
    back = load(warehouse, settings, tenant, [work_order("WO-2", number=3)])
    assert back.outcomes == counts(late_sealed=1)
    assert [str(day) for day in back.dates] == ["2026-02-09"]


def test_korean_text_and_odd_signs_arrive_as_they_are(warehouse: Warehouse, settings: Settings, tenant: Tenant) -> None:
    odd = 'tab\t newline\n backslash\\ quote" \\u0000 \\N {}'
    item = work_order("작업\t1\\", line_code="1라인\n", operator_id=odd)
    assert load(warehouse, settings, tenant, [item]).outcomes == counts(landed=1)
    found = rows(warehouse, "select source_pk, line_code, raw_data->>'operator_id' from core.erp_mes_data")
    assert found == [("작업\t1\\", "1라인\n", odd)]


def test_texts_that_postgresql_cannot_hold_are_rejected_and_kept(
    warehouse: Warehouse, settings: Settings, tenant: Tenant
) -> None:
    items = [
        work_order("A", operator_id="a\0b"),
        work_order("B\0", number=2),
        work_order("C", number=3, operator_id="\ud800"),
        Rejection(4, "UNREADABLE", None, "\0", "broken \ud800", "x\0y"),
        work_order("", number=5),
        work_order("D", number=6, version=2**70),
        work_order("E", number=7, operator_id="x" * 201),
        MappedRecord(8, "F", None, {"work_order_id": "F"}, "short"),
    ]
    result = load(warehouse, settings, tenant, items)
    assert result.outcomes == counts(rejected=8)
    reasons = [code for (code,) in rows(warehouse, "select reason_code from core.rejected_record order by source_row")]
    assert reasons == [
        "BAD_TEXT", "BAD_TEXT", "BAD_TEXT", "UNREADABLE", "MISSING_FIELD", "BAD_VERSION", "TOO_LONG", "MISSING_FIELD",
    ]  # fmt: skip
    assert rows(warehouse, "select original from core.rejected_record where source_row = 4") == [("x\u2400y",)]


def test_a_strict_load_with_a_bad_row_lands_nothing(warehouse: Warehouse, settings: Settings, tenant: Tenant) -> None:
    items = [work_order(), work_order("WO-2", number=2, good_qty=1), work_order("WO-3", number=3)]
    with pytest.raises(StrictLoadError, match="line 2: TOTAL_MISMATCH"):
        load(warehouse, settings, tenant, items, strict=True)
    assert current(warehouse) == {}
    assert dirty(warehouse) == []
    assert rows(warehouse, "select status, rows_read, rejected from core.load") == [("failed", 1, 1)]
    assert rows(warehouse, "select status, source_row from core.rejected_record") == [("dismissed", 2)]
    assert load(warehouse, settings, tenant, [work_order()], strict=True).outcomes == counts(landed=1)


def test_an_unknown_record_type_is_named(warehouse: Warehouse, settings: Settings, tenant: Tenant) -> None:
    with pytest.raises(UnknownRecordTypeError, match="invoice"):
        load(warehouse, settings, tenant, [], record_type="invoice")


def test_a_load_whose_source_breaks_is_failed_and_lands_nothing(
    warehouse: Warehouse, settings: Settings, tenant: Tenant
) -> None:
    def broken() -> Iterator[MappedRecord]:
        yield work_order()
        raise OSError("the share is gone")

    with pytest.raises(OSError, match="share"):
        load(warehouse, settings, tenant, broken())
    assert current(warehouse) == {}
    assert rows(warehouse, "select status, rows_read, error from core.load") == [
        ("failed", 0, "OSError: the share is gone")
    ]


def test_one_load_may_need_new_partitions_at_any_time(
    warehouse: Warehouse, settings: Settings, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform_core.ingest.landing.BATCH_ROWS", 1)
    days = [f"2025-{month:02d}-10" for month in range(1, 7)]
    items = [
        work_order(day, number=n, start_time=f"{day}T08:00:00+09:00", end_time=f"{day}T09:00:00+09:00")
        for n, day in enumerate(days)
    ]
    assert load(warehouse, settings, tenant, items).outcomes == counts(landed=6)
    assert [day for _, (day, _) in sorted(current(warehouse).items())] == days


def test_a_slow_source_commits_batch_by_batch(
    warehouse: Warehouse, settings: Settings, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform_core.ingest.landing.BATCH_ROWS", 1)
    monkeypatch.setattr("platform_core.ingest.landing.SLOW_SECONDS", 0.0)

    def items() -> Iterator[MappedRecord]:
        for n in range(3):
            yield work_order(f"WO-{n}", number=n)
        raise OSError("the service is gone")

    with pytest.raises(OSError, match="gone"):
        load(warehouse, settings, tenant, items())
    assert set(current(warehouse)) == {"WO-0", "WO-1", "WO-2"}
    assert rows(warehouse, "select status, rows_read from core.load") == [("failed", 3)]


def test_the_tenants_are_apart(warehouse: Warehouse, settings: Settings, tenant: Tenant, other_tenant: Tenant) -> None:
    load(warehouse, settings, tenant, [work_order(version=9)])
    result = load(warehouse, settings, other_tenant, [work_order(version=1)])
    assert result.outcomes == counts(landed=1)
    # 08:00 in Seoul is midnight in Berlin, and no shift is known: the calendar day of the plant.
    assert [str(day) for day in result.dates] == ["2026-03-09"]
    assert result.warnings == ("Shift day of line L01 is unknown: 1 records are dated by the calendar day.",)


def test_a_file_loaded_again_does_not_pile_up_its_rejects(
    warehouse: Warehouse, settings: Settings, tenant: Tenant
) -> None:
    bad = work_order(good_qty=-1)
    load(warehouse, settings, tenant, [bad])
    load(warehouse, settings, tenant, [bad])
    assert rows(warehouse, "select status, count(*)::int from core.rejected_record group by 1 order by 1") == [
        ("open", 1),
        ("retried", 1),
    ]
