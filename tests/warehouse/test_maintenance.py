"""Upkeep: partitions ahead, old results, and months that are sealed and attached again without losing anything."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from platform_core.settings import Settings
from platform_core.warehouse import archive
from platform_core.warehouse.connection import transaction
from platform_core.warehouse.dirty import due_dates
from platform_core.warehouse.errors import ArchiveError
from platform_core.warehouse.maintenance import ensure_partitions, maintain
from platform_core.warehouse.publish import materialize
from tests.warehouse.small import FACT, NOW, STAGING, THREE_DAYS, SmallFactory, day

JUNE = date(2026, 6, 1)


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def month(factory: SmallFactory) -> SmallFactory:
    """May, filled, with its last days read by June's first."""
    factory.land(day(4), "a", 10)
    factory.land(day(31), "b", 20)
    factory.land(JUNE, "c", 40)
    dates = [day(4), day(5), day(6), day(31), JUNE, JUNE + timedelta(days=1), JUNE + timedelta(days=2)]
    factory.build(*dates, now=NOW + timedelta(days=30))
    with transaction(factory.warehouse) as conn:
        conn.execute("delete from core.dirty_partition")
    return factory


def test_partitions_are_there_three_months_ahead(factory: SmallFactory, home: Settings) -> None:
    made = maintain(factory.warehouse, home, factory.project, day(20)).partitions_made
    assert {"erp_mes_data_p202608", "stg_work_order_p202608", "fact_daily_production_p2026q3"} <= set(made)
    assert maintain(factory.warehouse, home, factory.project, day(20)).partitions_made == ()


def test_partitions_meet_at_month_and_quarter_ends(factory: SmallFactory) -> None:
    with transaction(factory.warehouse) as conn:
        ensure_partitions(conn, "core.erp_mes_data", date(2023, 12, 31), date(2024, 3, 1))
        ensure_partitions(conn, FACT, date(2023, 12, 31), date(2025, 1, 1), by="quarter")
        bounds = conn.execute(
            "select child.relname, pg_get_expr(child.relpartbound, child.oid) from pg_inherits "
            "join pg_class as child on child.oid = inhrelid "
            "where child.relkind = 'r' and child.relname like any (%s) order by 1",
            [["erp_mes_data_p202%", "fact_daily_production_p202%"]],
        ).fetchall()
    expected = {
        "erp_mes_data_p202402": "FOR VALUES FROM ('2024-02-01') TO ('2024-03-01')",
        "fact_daily_production_p2023q4": "FOR VALUES FROM ('2023-10-01') TO ('2024-01-01')",
        "fact_daily_production_p2025q1": "FOR VALUES FROM ('2025-01-01') TO ('2025-04-01')",
    }
    assert expected.items() <= dict(bounds).items()
    assert len(bounds) == 4 + 6


def test_old_check_results_go(factory: SmallFactory, home: Settings) -> None:
    factory.land(day(4), "a", 10)
    factory.build(day(4))
    with transaction(factory.warehouse) as conn:
        conn.execute(
            "update bi.data_quality_checks set executed_at = now() - interval '91 days' where model = %s", [FACT]
        )
    assert maintain(factory.warehouse, home, factory.project, day(20)).results_removed > 0
    assert factory.rows("select count(*) from bi.data_quality_checks where model = %s", [FACT]) == [(0,)]


def test_a_sealed_month_keeps_its_facts_and_is_not_made_anew(month: SmallFactory, home: Settings) -> None:
    before = month.totals()
    path = archive.seal(month.warehouse, home, month.project, day(4))
    assert path.is_file()
    assert month.totals(STAGING) == {JUNE: Decimal(40)}
    assert month.rows("select count(*) from core.erp_mes_data") == [(1,)]
    run = materialize(month.warehouse, month.project, FACT, [day(4), day(31), JUNE], now=NOW, run_id="again")
    assert run.sealed == (day(4), day(31))
    assert month.totals() == before


def test_a_later_date_that_reads_back_into_a_sealed_month_waits_too(month: SmallFactory, home: Settings) -> None:
    archive.seal(month.warehouse, home, month.project, day(4))
    month.land(JUNE, "late", 100)
    now = NOW + timedelta(days=30)
    month.build(JUNE, JUNE + timedelta(days=2), now=now)
    assert month.totals(THREE_DAYS)[JUNE] == Decimal(60)  # not 140: the 20 of the 31st could not be read
    assert month.totals()[JUNE] == Decimal(140)
    with transaction(month.warehouse) as conn:
        assert JUNE not in due_dates(conn, now)
    archive.unseal(month.warehouse, month.project, day(4))
    with transaction(month.warehouse) as conn:
        assert JUNE in due_dates(conn, now)
    month.build(JUNE, now=now)
    assert month.totals(THREE_DAYS)[JUNE] == Decimal(160)


def test_attaching_brings_everything_back_and_marks_what_came_late(month: SmallFactory, home: Settings) -> None:
    rows = month.rows("select * from core.erp_mes_data order by source_pk")
    staged = month.rows(f"select * from {STAGING} order by source_pk")
    archive.seal(month.warehouse, home, month.project, day(4))
    month.land(day(5), "late", 7)
    with transaction(month.warehouse) as conn:
        conn.execute("delete from core.dirty_partition")  # a sealed date's record marks nothing
    assert archive.unseal(month.warehouse, month.project, day(4)) == (day(5),)
    assert month.rows("select * from core.erp_mes_data where source_pk <> 'late' order by source_pk") == rows
    assert month.rows(f"select * from {STAGING} order by source_pk") == staged
    assert month.marks(STAGING) == [day(5)]
    month.build(day(5))
    assert month.totals()[day(5)] == Decimal(7)
    with pytest.raises(ArchiveError, match="is not archived"):
        archive.unseal(month.warehouse, month.project, day(4))


def test_a_version_that_was_overtaken_while_archived_is_not_current_again(month: SmallFactory, home: Settings) -> None:
    archive.seal(month.warehouse, home, month.project, day(4))
    with transaction(month.warehouse) as conn:
        conn.execute(
            "insert into core.record_identity values (%s, 'MES', 'work_order', 'a', 2, now(), 1, '2026-06-01', '')",
            [month.tenant],
        )
    archive.unseal(month.warehouse, month.project, day(4))
    found = month.rows(
        "select source_pk, is_current from core.erp_mes_data where business_date < '2026-06-01' order by 1"
    )
    assert found == [("a", False), ("b", True)]


def test_a_month_with_open_dates_or_a_damaged_archive_is_refused(month: SmallFactory, home: Settings) -> None:
    month.land(day(5), "open", 1)
    with pytest.raises(ArchiveError, match="1 dates that are failed or still to be made"):
        archive.seal(month.warehouse, home, month.project, day(4))
    month.build(day(5), day(6), day(7), now=NOW + timedelta(days=30))
    path = archive.seal(month.warehouse, home, month.project, day(4))
    with pytest.raises(ArchiveError, match="archived already"):
        archive.seal(month.warehouse, home, month.project, day(4))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArchiveError, match="cannot be read"):
        archive.unseal(month.warehouse, month.project, day(4))
    assert month.rows("select count(*) from core.archived_partition where attached_at is null") == [(1,)]
    path.write_bytes(whole)
    archive.unseal(month.warehouse, month.project, day(4))
    assert month.totals(STAGING)[day(5)] == Decimal(1)


def test_months_are_archived_only_where_asked(month: SmallFactory, home: Settings) -> None:
    today = date(2026, 9, 1)
    assert maintain(month.warehouse, home, month.project, today).months_archived == ()
    asked = home.model_copy(update={"archive_raw_after_days": 92})
    assert maintain(month.warehouse, asked, month.project, today).months_archived == (day(1),)
    assert maintain(month.warehouse, asked, month.project, today).months_archived == ()
