"""Expectations are those of the contract, by stable names, and one that cannot be evaluated is not a broken one."""

from pathlib import Path

import pytest

from dbt_like_sql.project import load_project
from platform_core.warehouse.errors import CheckNotPossibleError
from platform_core.warehouse.expectations import check_names
from platform_core.warehouse.publish import materialize
from tests.warehouse.small import FACT, NOW, STAGING, SmallFactory, day


def test_names_come_from_the_contract(factory: SmallFactory) -> None:
    assert check_names(factory.project.models[FACT]) == (
        "tenant_id_not_null",
        "date_not_null",
        "line_code_not_null",
        "product_code_not_null",
        "total_qty_not_null",
        "total_qty_in_range",
        "good_qty_in_range",
        "grain_is_unique",
        "line_is_known",
    )
    assert "product_code_in_set" in check_names(factory.project.models[STAGING])


def test_a_check_that_cannot_be_evaluated_raises_and_nothing_is_published(factory: SmallFactory, models: Path) -> None:
    path = models / "facts/fact_daily_production.yml"
    path.write_text(path.read_text().replace("from candidate\n", "from candidate, bi.no_such_table\n"))
    factory.land(day(4), "a", 10)
    factory.build(day(4))
    before = factory.snapshot()
    factory.project = load_project(models)
    with pytest.raises(CheckNotPossibleError, match=r"line_is_known could not be evaluated.*no_such_table"):
        materialize(factory.warehouse, factory.project, FACT, [day(4)], now=NOW, run_id="second")
    assert factory.snapshot() == before
    assert factory.scratch() == []


def test_a_check_says_how_many_rows_a_line_stands_for_and_where(factory: SmallFactory) -> None:
    factory.land(day(4), "a", 10)
    factory.land(day(5), "b", 10, product_code="P2")
    factory.land(day(5), "c", 10, tenant=factory.other)
    report = factory.build(day(4), day(5))
    fact = next(run for run in report.runs if run.model == FACT)
    unknown = next(check for check in fact.checks if check.check == "line_is_known")
    assert not unknown.passed
    assert unknown.severity == "warning"
    assert unknown.failed_by_date == {
        (factory.tenant, day(4)): 1,
        (factory.tenant, day(5)): 1,
        (factory.other, day(5)): 1,
    }
    assert unknown.sample[0]["note"] == "{}"
    assert unknown.sample[0]["at"] == "12 :30"
    assert fact.failed == {}


def test_more_broken_dates_than_the_library_reads_rows_are_all_found(factory: SmallFactory) -> None:
    from datetime import timedelta

    dates = [day(1) - timedelta(days=number) for number in range(110)]
    for number, when in enumerate(dates):
        factory.land(when, f"a{number}", 10, good_qty=11)
        factory.land(when, f"b{number}", 10, good_qty=11, tenant=factory.other)
    run = materialize(factory.warehouse, factory.project, STAGING, dates, now=NOW, run_id="run")
    assert len(run.failed) == 220


def test_a_day_without_rows_has_a_result_of_every_check(factory: SmallFactory) -> None:
    factory.land(day(3), "a", 10)
    report = factory.build(day(4))
    fact = next(run for run in report.runs if run.model == FACT)
    assert fact.rows == 0
    assert tuple(check.check for check in fact.checks) == check_names(factory.project.models[FACT])
    assert all(check.passed and check.total_rows == 0 for check in fact.checks)
