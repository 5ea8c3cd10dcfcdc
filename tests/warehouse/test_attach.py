"""A month of many rows takes its partition's place as a whole, and only where nothing is lost by that."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

import pytest

from platform_core.warehouse.connection import transaction
from platform_core.warehouse.contracts import TenantDate
from platform_core.warehouse.maintenance import ensure_partitions
from platform_core.warehouse.publish import materialize
from tests.warehouse.small import FACT, NOW, STAGING, SmallFactory, day

DAYS = (day(4), day(5), day(6))
MANY = """
insert into core.erp_mes_data
select tenant_id, source_system, record_type, 'x' || n, 1, business_date + n % 3, line_code, raw_data, '', now(),
    load_id, n, true
from core.erp_mes_data, generate_series(1, 60000) as n where source_pk = 'a'
"""
CHILD = "staging.stg_work_order_p202605"


@pytest.fixture
def large(factory: SmallFactory) -> SmallFactory:
    factory.land(day(4), "a", 1)
    with transaction(factory.warehouse) as conn:
        conn.execute(MANY)
        conn.execute("analyze core.erp_mes_data")
    return factory


def oid(factory: SmallFactory) -> int:
    return factory.rows(f"select to_regclass('{CHILD}')::oid")[0][0]


def stage(factory: SmallFactory, run_id: str = "run") -> dict[TenantDate, str]:
    run = materialize(factory.warehouse, factory.project, STAGING, DAYS, now=NOW, run_id=run_id)
    return dict(run.failed)


def test_a_month_made_anew_takes_the_place_of_the_old_one(large: SmallFactory) -> None:
    assert large.build(*DAYS).failed == {}
    first = oid(large)
    assert sum(large.totals().values()) == 60_001
    large.land(day(5), "late", 8)
    assert large.build(*DAYS, run_id="second").failed == {}
    assert oid(large) != first
    assert sum(large.totals().values()) == 60_009
    assert {state for state, _, _ in large.states(STAGING).values()} == {"published"}
    assert {version for _, version, _ in large.states(STAGING).values()} == {2}
    assert large.marks(STAGING) == large.marks(FACT) == []
    assert large.scratch() == []


def test_the_new_partition_is_like_any_other(large: SmallFactory) -> None:
    stage(large)
    assert large.rows(f"select relrowsecurity, relpersistence from pg_class where oid = '{CHILD}'::regclass") == [
        (True, "p")
    ]
    attached = large.rows(
        "select count(*) from pg_inherits where inhparent in "
        f"(select indexrelid from pg_index where indrelid = '{STAGING}'::regclass)"
    )
    own = large.rows(f"select count(*) from pg_index where indrelid = '{CHILD}'::regclass")
    assert attached == own
    assert large.rows(f"select count(*) from pg_constraint where conrelid = '{CHILD}'::regclass and contype = 'c'") == [
        (0,)
    ]


def test_one_broken_date_is_held_back_and_the_others_are_copied(large: SmallFactory) -> None:
    stage(large)
    first = oid(large)
    large.land(day(5), "broken", 10, good_qty=11)
    large.land(day(6), "late", 8)
    assert stage(large, "second") == {(large.tenant, day(5)): "good_within_total: 1 row"}
    assert oid(large) == first
    assert large.totals(STAGING) == {day(4): Decimal(20001), day(5): Decimal(20000), day(6): Decimal(20008)}


def test_a_repeated_grain_is_found_though_the_index_cannot_be_made(large: SmallFactory) -> None:
    large.land(day(6), "x2", 1)
    assert stage(large) == {(large.tenant, day(6)): "grain_is_unique: 2 rows"}
    assert set(large.totals(STAGING)) == {day(4), day(5)}


def test_other_dates_of_the_month_stay(large: SmallFactory) -> None:
    large.land(day(20), "other", 5)
    large.build(day(20))
    assert stage(large) == {}
    assert large.totals(STAGING)[day(20)] == Decimal(5)
    assert len(large.totals(STAGING)) == 4


def test_a_reader_that_does_not_end_is_not_waited_for(large: SmallFactory) -> None:
    stage(large)
    first = oid(large)
    large.land(day(5), "late", 8)
    with transaction(large.warehouse) as conn, ThreadPoolExecutor(1) as pool:
        conn.execute(f"select 1 from {STAGING} limit 1".encode())
        assert pool.submit(stage, large, "second").result(timeout=60) == {}
    assert oid(large) == first
    assert large.totals(STAGING)[day(5)] == Decimal(20008)


def test_a_range_over_two_months_exchanges_each(factory: SmallFactory) -> None:
    factory.land(day(31), "a", 1)
    with transaction(factory.warehouse) as conn:
        ensure_partitions(conn, "core.erp_mes_data", day(31), date(2026, 6, 2))
        conn.execute(MANY.replace("60000", "180000"))
        conn.execute("analyze core.erp_mes_data")
    june = [date(2026, 6, 1), date(2026, 6, 2)]
    run = materialize(factory.warehouse, factory.project, STAGING, [day(31), *june], now=NOW, run_id="run")
    assert run.failed == {}
    assert run.rows == 180_001
    assert len(factory.states(STAGING)) == 3
