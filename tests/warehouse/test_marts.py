"""Marts are refreshed without stopping readers, end at the newest fact, and report what their checks find."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

from platform_core.warehouse.connection import Role, autocommit, transaction
from platform_core.warehouse.contracts import UNDATED
from platform_core.warehouse.publish import materialize
from platform_core.warehouse.rules import rules_of
from tests.warehouse.small import FACT, MART, NOW, SmallFactory, day


def refresh(factory: SmallFactory, run_id: str = "run") -> int:
    return materialize(factory.warehouse, factory.project, MART, [], now=NOW, run_id=run_id).rows


def test_the_window_ends_at_the_newest_fact_and_not_at_now(factory: SmallFactory) -> None:
    factory.land(day(20) - timedelta(days=200), "old", 1)
    factory.land(day(20) - timedelta(days=180), "newest", 2)
    factory.land(day(20) - timedelta(days=400), "outside", 4)
    factory.build(*(day(20) - timedelta(days=days) for days in (180, 200, 400)))
    assert sum(factory.totals(MART).values()) == Decimal(3)


def test_a_check_that_a_mart_breaks_reports_and_holds_nothing_back(factory: SmallFactory) -> None:
    factory.land(day(4), "a", 900)
    report = factory.build(day(4))
    mart = next(run for run in report.runs if run.model == MART)
    assert mart.failed == {}
    assert [(check.check, check.broken) for check in mart.checks if not check.passed] == [
        ("total_qty_in_range", ((factory.tenant, day(4)),))
    ]
    assert factory.states(MART) == {UNDATED: ("published", 1, 1)}
    found = factory.rows(
        "select date, status from bi.data_quality_checks where model = %s and status <> 'pass'", [MART]
    )
    assert found == [(day(4), "warning")]


def test_no_check_of_a_mart_claims_to_hold_it_back(factory: SmallFactory) -> None:
    assert {rule.severity for rule in rules_of(factory.project.model(MART))} == {"warning"}
    assert "error" in {rule.severity for rule in rules_of(factory.project.model(FACT))}


def test_readers_go_on_while_a_mart_is_refreshed(factory: SmallFactory) -> None:
    factory.land(day(4), "a", 10)
    factory.build(day(4))
    with transaction(factory.warehouse, role=Role.API, tenant=factory.tenant) as conn:
        assert conn.execute("select sum(total_qty) from bi.v_mv_line").fetchone() == (Decimal(10),)
        assert refresh(factory) == 1  # would wait for ever, were it not concurrent


def test_two_refreshes_at_once_queue(factory: SmallFactory) -> None:
    factory.land(day(4), "a", 10)
    factory.build(day(4))
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda number: refresh(factory, f"run{number}"), range(2))) == [1, 1]
    assert factory.states(MART)[UNDATED] == ("published", 3, 1)


def test_a_mart_that_was_never_filled_is_filled(factory: SmallFactory) -> None:
    factory.land(day(4), "a", 10)
    factory.build(day(4))
    with autocommit(factory.warehouse) as conn:
        conn.execute("refresh materialized view bi.mv_line with no data")
    assert refresh(factory) == 1
