"""From marks to runs: exactly what is dirty, in as few runs as there are gaps."""

from datetime import date

from dbt_like_sql.project import load_project
from platform_assets.dirty_plan import fingerprint, plan
from platform_assets.partitions import DateRange
from platform_assets.store import DueMark
from platform_core.warehouse.contracts import UNDATED

PROJECT = load_project()
FIRST, TODAY = date(2024, 1, 1), date(2024, 3, 31)


def _march(day: int) -> date:
    return date(2024, 3, day)


def _plan(*marks: tuple[str, date]) -> list[tuple[tuple[str, ...], DateRange | None]]:
    planned = plan(PROJECT, [DueMark(model, day, 1) for model, day in marks], FIRST, TODAY)
    return [(run.relations, run.dates) for run in planned]


def test_neighbouring_dates_are_one_run_and_a_gap_makes_two() -> None:
    marks = [("bi.mv_oee_daily", _march(day)) for day in (4, 5, 6, 9)]
    assert _plan(*marks) == [
        (("bi.mv_oee_daily",), DateRange(_march(4), _march(6))),
        (("bi.mv_oee_daily",), DateRange(_march(9), _march(9))),
    ]


def test_what_reads_a_dirty_model_is_made_with_it_and_nothing_else() -> None:
    [(relations, dates)] = _plan(("staging.stg_order", _march(4)))
    assert relations == ("staging.stg_order", "bi.fact_order_daily")
    assert dates == DateRange(_march(4), _march(4))


def test_dirty_dimensions_come_alone_since_publishing_them_marks_what_reads_them() -> None:
    assert _plan(("bi.dim_line", UNDATED), ("staging.stg_order", _march(4))) == [(("bi.dim_line",), None)]


def test_dates_ahead_of_today_and_marts_without_dates_are_made_by_today() -> None:
    today = DateRange(TODAY, TODAY)
    assert _plan(("bi.fact_order_daily", date(2025, 1, 1))) == [(("bi.fact_order_daily",), today)]
    assert _plan(("bi.mv_oee_daily", UNDATED)) == [(("bi.mv_oee_daily",), today)]


def test_a_dirty_mart_that_a_run_refreshes_anyway_has_no_run_of_its_own() -> None:
    [(relations, dates)] = _plan(("bi.fact_daily_production", _march(4)), ("bi.mv_oee_daily", UNDATED))
    assert "bi.mv_oee_daily" in relations
    assert dates == DateRange(_march(4), _march(4))


def test_marks_of_models_that_are_gone_or_of_dates_not_held_ask_for_nothing() -> None:
    assert _plan(("bi.gone", _march(4)), ("staging.stg_order", date(2023, 12, 31))) == []


def test_the_fingerprint_changes_when_a_mark_is_renewed() -> None:
    before, after = DueMark("bi.dim_line", UNDATED, 1), DueMark("bi.dim_line", UNDATED, 2)
    assert fingerprint([before]) != fingerprint([after])
