"""A feed that has gone silent is seen, though its empty dates go on being published."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from dbt_like_sql.project import load_project
from platform_core.warehouse.contracts import CheckResult
from platform_core.warehouse.publish import materialize
from platform_core.warehouse.rules import IS_FRESH
from tests.warehouse.small import FACT, NOW, STAGING, SmallFactory, day

STORED = """
select tenant_id, date, severity, status, sample_failed_rows -> 0 ->> 'hours_since'
from bi.data_quality_checks where check_name = 'is_fresh' and status <> 'pass' order by 1
"""


@pytest.fixture
def fresh_factory(factory: SmallFactory, models: Path) -> SmallFactory:
    """The fact is to be no older than 36 hours."""
    path = models / "facts/fact_daily_production.yml"
    path.write_text(path.read_text().replace("grain:", "freshness_hours: 36\ngrain:", 1))
    factory.project = load_project(models)
    return factory


def made(factory: SmallFactory, *dates: date) -> CheckResult:
    """The result of the freshness check of a build."""
    [fact] = [run for run in factory.build(*dates).runs if run.model == FACT]
    assert fact.failed == {}
    [check] = [check for check in fact.checks if check.check == IS_FRESH]
    return check


def test_a_tenant_silent_for_three_days_is_named_and_one_that_never_sent_anything_is_not(
    fresh_factory: SmallFactory,
) -> None:
    fresh_factory.land(day(16), "a")
    check = made(fresh_factory, *(day(number) for number in range(16, 21)))
    assert (check.passed, check.severity) == (False, "warning")
    assert check.failed_by_date == {(fresh_factory.tenant, day(16)): 1}
    assert fresh_factory.states(FACT)[day(20)] == ("published", 1, 0)
    # The 16th ended in Seoul at 15:00 UTC, 93 hours before.
    assert fresh_factory.rows(STORED) == [(fresh_factory.tenant, day(16), "warning", "warning", "93.0")]


@pytest.mark.parametrize(("number", "passed"), [(19, True), (20, True), (18, False)])
def test_the_newest_date_with_rows_may_have_ended_36_hours_ago(
    fresh_factory: SmallFactory, number: int, passed: bool
) -> None:
    fresh_factory.land(day(number), "a")
    assert made(fresh_factory, day(18), day(19), day(20)).passed is passed


def test_making_an_old_date_anew_says_nothing_against_a_fresh_model(fresh_factory: SmallFactory) -> None:
    fresh_factory.land(day(4), "a")
    fresh_factory.land(day(20), "b")
    fresh_factory.build(day(20))
    assert made(fresh_factory, day(4)).passed


def test_a_date_that_loses_its_rows_does_not_count_any_more(fresh_factory: SmallFactory) -> None:
    fresh_factory.land(day(16), "a")
    fresh_factory.land(day(20), "b")
    assert made(fresh_factory, day(16), day(20)).passed
    fresh_factory.rows("delete from core.erp_mes_data where source_pk = 'b' returning 1")
    assert made(fresh_factory, day(20)).failed_by_date == {(fresh_factory.tenant, day(16)): 1}


def test_a_backfill_in_several_ranges_is_judged_by_its_end(fresh_factory: SmallFactory) -> None:
    first = day(20) - timedelta(days=200)
    dates = [first + timedelta(days=number) for number in range(201)]
    fresh_factory.land(first, "a")
    fresh_factory.land(day(20), "b")
    materialize(fresh_factory.warehouse, fresh_factory.project, STAGING, dates, now=NOW, run_id="run")
    assert made(fresh_factory, *dates).passed
    assert fresh_factory.rows(STORED) == []
