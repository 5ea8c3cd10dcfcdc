"""Write, audit, publish: what is published, what is held back, and that nothing in between is ever seen."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from platform_core.warehouse import candidates
from platform_core.warehouse.connection import autocommit, transaction
from platform_core.warehouse.contracts import UNDATED
from platform_core.warehouse.dirty import due_dates
from platform_core.warehouse.errors import CandidateLostError, ConnectionLostError, DiskFullError, ModelRunError
from platform_core.warehouse.publish import materialize
from platform_core.warehouse.runs import Run, locked
from platform_core.warehouse.store import publish as store
from tests.warehouse.small import FACT, MART, NOW, STAGING, SmallFactory, day


def test_a_build_fills_everything_and_leaves_nothing_dirty(factory: SmallFactory) -> None:
    factory.land(day(4), "a", 10)
    factory.land(day(5), "b", 20)
    factory.land(day(5), "c", 5, tenant=factory.other)
    report = factory.build(day(4), day(5))
    assert report.failed == {}
    assert factory.totals() == {day(4): Decimal(10), day(5): Decimal(20)}
    assert factory.totals(MART) == {day(4): Decimal(10), day(5): Decimal(20)}
    assert factory.totals(tenant=factory.other) == {day(5): Decimal(5)}
    assert factory.marks(FACT) == []
    assert factory.marks(MART) == []
    assert factory.scratch() == []


def test_a_tenant_without_rows_is_published_with_none(factory: SmallFactory) -> None:
    factory.land(day(4), "a")
    factory.build(day(4))
    assert factory.states(FACT, factory.other) == {day(4): ("published", 1, 0)}


def test_an_empty_day_and_no_day_at_all_are_no_error(factory: SmallFactory) -> None:
    assert factory.build(day(4)).failed == {}
    assert factory.build().failed == {}
    assert factory.states(FACT) == {day(4): ("published", 1, 0)}


def test_a_broken_date_keeps_its_last_good_version_and_holds_back_nothing_else(factory: SmallFactory) -> None:
    for number in (4, 5, 6):
        factory.land(day(number), f"a{number}", 10)
    factory.land(day(5), "b", 7, tenant=factory.other)
    factory.build(day(4), day(5), day(6))
    for number in (4, 5, 6):
        factory.land(day(number), f"late{number}", 100, good_qty=101 if number == 5 else 1)
    factory.land(day(5), "late", 3, tenant=factory.other)
    report = factory.build(day(4), day(5), day(6), run_id="second")
    assert dict(report.failed[STAGING]) == {(factory.tenant, day(5)): "good_within_total: 1 row"}
    assert factory.totals() == {day(4): Decimal(110), day(5): Decimal(10), day(6): Decimal(110)}
    assert factory.totals(tenant=factory.other) == {day(5): Decimal(10)}
    assert factory.states(STAGING)[day(5)] == ("failed", 1, 1)
    assert day(5) not in factory.marks(STAGING)


def test_what_a_check_found_is_stored_with_sample_rows(factory: SmallFactory) -> None:
    factory.land(day(5), "a", 10, good_qty=11)
    factory.land(day(6), "b", 10, product_code="P9")
    factory.build(day(5), day(6))
    found = factory.rows(
        "select check_name, date, severity, status, failed_row_count, sample_failed_rows -> 0 ->> 'source_pk' "
        "from bi.data_quality_checks where model = %s and status <> 'pass' order by 1",
        [STAGING],
    )
    assert found == [
        ("good_within_total", day(5), "error", "fail", 1, "a"),
        ("product_code_in_set", day(6), "warning", "warning", 1, "b"),
    ]
    passed = factory.rows(
        "select count(*), count(distinct check_name) from bi.data_quality_checks where model = %s and status = 'pass'",
        [STAGING],
    )
    rules = factory.rows("select count(*) from bi.data_quality_rules where table_name = %s", [STAGING])
    assert passed == [(2 * (rules[0][0] - 2) + 2, rules[0][0])]


def test_what_a_check_looked_at_is_stored_so_that_the_dates_it_does_not_name_are_known_to_have_passed(
    factory: SmallFactory,
) -> None:
    for number in range(1, 31):
        factory.land(day(number), f"a{number}", 10, good_qty=11 if number == 5 else 8)
    factory.build(*(day(number) for number in range(1, 31)))
    found = factory.rows(
        "select tenant_id, date, status, metadata from bi.data_quality_checks "
        "where model = %s and check_name = 'good_within_total' order by 1",
        [STAGING],
    )
    checked = {"first_date": "2026-05-01", "last_date": "2026-05-30", "dates_checked": 30}
    assert found == [
        (factory.tenant, day(5), "fail", checked | {"dates_broken": 1}),
        (factory.other, None, "pass", checked | {"dates_broken": 0}),
    ]


def test_a_null_a_repeated_grain_and_a_negative_number_are_named(factory: SmallFactory) -> None:
    factory.land(day(4), "a", 10)
    factory.land(day(4), "a", 10)
    factory.land(day(5), "b", -5, good_qty=-5)
    with transaction(factory.warehouse) as conn:
        conn.execute("update core.erp_mes_data set line_code = null where source_pk = 'b'")
    failed = factory.build(day(4), day(5)).failed[STAGING]
    assert failed == {
        (factory.tenant, day(4)): "grain_is_unique: 2 rows",
        (factory.tenant, day(5)): "line_code_not_null: 1 row; total_qty_in_range: 1 row; good_qty_in_range: 1 row",
    }


def test_a_row_that_cannot_be_computed_costs_its_own_date_and_tenant_only(factory: SmallFactory) -> None:
    for number in (4, 5, 6):
        factory.land(day(number), f"a{number}", 10)
        factory.land(day(number), f"b{number}", 10, tenant=factory.other)
    factory.land(day(5), "zero", 0)
    report = factory.build(day(4), day(5), day(6))
    reason = "staging.stg_work_order could not be computed: division by zero"
    assert report.failed == {STAGING: {(factory.tenant, day(5)): reason}}
    assert factory.totals() == {day(4): Decimal(10), day(6): Decimal(10)}
    assert len(factory.totals(tenant=factory.other)) == 3


def test_two_builds_of_one_date_at_once_queue_and_agree(factory: SmallFactory) -> None:
    for number in range(30):
        factory.land(day(4 + number % 3), f"a{number}", 10)
    days = [day(4), day(5), day(6)]
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(factory.build, *days, run_id=f"run{number}") for number in range(2)]
        assert [run.result().failed for run in runs] == [{}, {}]
    assert factory.totals() == dict.fromkeys(days, Decimal(100))
    assert {version for _, version, _ in factory.states(FACT).values()} == {2}


def test_a_change_that_comes_during_a_build_stays_dirty(factory: SmallFactory) -> None:
    factory.land(day(4), "a", 10)
    run = Run(factory.warehouse, factory.project, factory.project.models[STAGING], NOW, "run")
    with locked(run, [day(4)]) as guard:
        before = candidates._look(run, guard, [day(4)])
        with candidates._candidate(run, guard) as name:
            audited = candidates._audit(run, guard, name, before)
            factory.land(day(4), "late", 100)
            candidates._replace_all(run, guard, audited, before)
    assert factory.marks(STAGING) == [day(4)]
    factory.build(day(4))
    assert factory.totals() == {day(4): Decimal(110)}
    assert factory.marks(STAGING) == []


@pytest.mark.parametrize("moment", ["after_candidate", "after_audit"])
def test_an_emptied_candidate_is_refused(factory: SmallFactory, moment: str) -> None:
    """A crash of the server leaves an unlogged table empty."""
    factory.land(day(4), "a", 10)
    factory.build(day(4))
    factory.land(day(4), "b", 10)
    run = Run(factory.warehouse, factory.project, factory.project.models[STAGING], NOW, "run")
    with locked(run, [day(4)]) as guard:
        before = candidates._look(run, guard, [day(4)])
        with candidates._candidate(run, guard) as name:
            audited = candidates._audit(run, guard, name, before)
            with autocommit(factory.warehouse) as conn:
                conn.execute(f"truncate {name}".encode())
            with pytest.raises(CandidateLostError, match="0 rows to publish, but 2 were audited"):
                candidates._replace_all(run, guard, audited, before)
    assert factory.totals(STAGING) == {day(4): Decimal(10)}


def test_a_run_whose_version_was_overtaken_publishes_nothing(factory: SmallFactory) -> None:
    """Its lock was lost with its connection, and another run published meanwhile."""
    factory.land(day(4), "a", 10)
    run = Run(factory.warehouse, factory.project, factory.project.models[STAGING], NOW, "run")
    with locked(run, [day(4)]) as guard:
        before = candidates._look(run, guard, [day(4)])
        with candidates._candidate(run, guard) as name:
            audited = candidates._audit(run, guard, name, before)
            with transaction(factory.warehouse) as conn:
                store.set_published(conn, run.model, "other", [((factory.tenant, day(4)), 0, 0)])
            with pytest.raises(CandidateLostError, match="Another run published"):
                candidates._replace_all(run, guard, audited, before)
    assert factory.totals(STAGING) == {}


def test_a_session_that_the_server_ends_gives_a_clear_error_and_a_clean_retry(factory: SmallFactory) -> None:
    factory.land(day(4), "a", 10)
    run = Run(factory.warehouse, factory.project, factory.project.models[STAGING], NOW, "run")

    def interrupted() -> None:
        with locked(run, [day(4)]) as guard:
            before = candidates._look(run, guard, [day(4)])
            with candidates._candidate(run, guard) as name:
                audited = candidates._audit(run, guard, name, before)
                with autocommit(factory.warehouse) as conn:
                    conn.execute("select pg_terminate_backend(%s)", [guard.info.backend_pid])
                candidates._replace_all(run, guard, audited, before)

    with pytest.raises(ConnectionLostError):
        interrupted()
    assert factory.totals(STAGING) == {}
    assert factory.build(day(4)).failed == {}
    assert factory.totals() == {day(4): Decimal(10)}


def test_a_select_that_postgresql_refuses_says_which_file(factory: SmallFactory) -> None:
    model = factory.project.models[STAGING]
    wrong = replace(factory.project, models={**factory.project.models, STAGING: replace(model, sql="select nothing")})
    with pytest.raises(ModelRunError, match=r"stg_work_order\.sql"):
        materialize(factory.warehouse, wrong, STAGING, [day(4)], now=NOW, run_id="run")


def test_now_without_a_zone_is_refused(factory: SmallFactory) -> None:
    with pytest.raises(ValueError, match="time zone"):
        materialize(factory.warehouse, factory.project, FACT, [], now=NOW.replace(tzinfo=None), run_id="run")


def test_a_change_spreads_as_far_as_a_reader_looks_back(factory: SmallFactory) -> None:
    factory.land(day(4), "a", 10)
    materialize(factory.warehouse, factory.project, STAGING, [day(4)], now=NOW, run_id="run")
    assert factory.marks(FACT) == [day(4)]
    assert factory.marks("bi.fact_three_days") == [day(4), day(5), day(6)]
    factory.build(day(4), day(5), day(6), day(7))
    assert factory.totals("bi.fact_three_days") == dict.fromkeys([day(4), day(5), day(6)], Decimal(10))


def test_a_mark_never_goes_past_tomorrow(factory: SmallFactory) -> None:
    factory.land(NOW.date(), "a", 10)
    materialize(factory.warehouse, factory.project, STAGING, [NOW.date()], now=NOW, run_id="run")
    assert factory.marks("bi.fact_three_days") == [NOW.date(), NOW.date() + timedelta(days=1)]


def test_an_open_event_keeps_its_date_dirty_for_later(factory: SmallFactory) -> None:
    factory.land(day(20), "a", 10, is_open=True)
    factory.build(day(20))
    assert factory.marks(STAGING) == [day(20), day(21)]
    with transaction(factory.warehouse) as conn:
        assert day(20) not in due_dates(conn, NOW)
        assert due_dates(conn, NOW + timedelta(hours=2)) == (day(20), day(21))


def test_a_changed_dimension_marks_the_dates_that_it_touches(factory: SmallFactory) -> None:
    factory.line("L1")
    factory.line("L2")
    factory.land(day(4), "a")
    factory.land(day(9), "b")
    factory.build(day(4), day(5), day(9))
    assert factory.marks(FACT) == []
    factory.line("L1", name="Press")
    factory.line("L2", name="Saw")
    materialize(factory.warehouse, factory.project, "bi.dim_line", [], now=NOW, run_id="run")
    assert factory.marks(FACT) == [day(4), day(9)]
    assert factory.marks("bi.dim_line") == []


def test_a_changed_column_that_no_reader_names_marks_nothing(factory: SmallFactory) -> None:
    factory.line("L1")
    factory.land(day(4), "a")
    factory.build(day(4))
    factory.line("L1", manager="Kim")
    materialize(factory.warehouse, factory.project, "bi.dim_line", [], now=NOW, run_id="run")
    assert factory.marks(FACT) == []
    assert factory.rows("select manager from bi.dim_line") == [("Kim",)]


def test_a_dimension_of_no_tenant_is_filled_once(factory: SmallFactory) -> None:
    factory.build()
    assert factory.rows("select count(*) from bi.dim_date") == [(365,)]
    assert factory.states("bi.dim_date") == {UNDATED: ("published", 1, 365)}
    assert all(run.model != "bi.dim_date" for run in factory.build().runs)


def test_a_long_backfill_goes_in_several_ranges(factory: SmallFactory) -> None:
    first = day(1) - timedelta(days=200)
    dates = [first + timedelta(days=number) for number in range(201)]
    factory.land(first, "a", 1)
    factory.land(dates[-1], "b", 2)
    run = materialize(factory.warehouse, factory.project, STAGING, dates, now=NOW, run_id="run")
    assert run.rows == 2
    assert len(run.published) == 2 * 201
    assert len(run.checks) == len({check.check for check in run.checks})


def test_a_day_of_many_rows_is_published_by_two_sessions(factory: SmallFactory) -> None:
    factory.land(day(4), "a", 1)
    with transaction(factory.warehouse) as conn:
        conn.execute(
            "insert into core.erp_mes_data "
            "select tenant_id, source_system, record_type, 'x' || n, 1, business_date + n % 3, line_code, "
            "raw_data, '', now(), load_id, n, true "
            "from core.erp_mes_data, generate_series(1, 30000) as n where source_pk = 'a'"
        )
    report = factory.build(day(4), day(5), day(6))
    assert report.failed == {}
    assert sum(factory.totals().values()) == 30_001


NO_ROOM = """
create function no_room() returns trigger language plpgsql as
$$ begin raise exception 'could not extend file: No space left on device' using errcode = 'disk_full'; end $$;
create trigger no_room before insert on bi.fact_daily_production for each row execute function no_room()
"""


def test_a_full_disk_is_said_and_nothing_is_half_published(factory: SmallFactory) -> None:
    """The disk of a test cannot be filled: a trigger refuses the rows just as PostgreSQL then does."""
    factory.land(day(4), "a", 10)
    factory.build(day(4))
    before = factory.snapshot()
    with autocommit(factory.warehouse) as conn:
        conn.execute(NO_ROOM)
    with pytest.raises(DiskFullError, match="No space left"):
        materialize(factory.warehouse, factory.project, FACT, [day(4)], now=NOW, run_id="run")
    assert factory.snapshot() == before
    assert factory.scratch() == []
    with autocommit(factory.warehouse) as conn:
        conn.execute("drop trigger no_room on bi.fact_daily_production")
    factory.build(day(4))
    assert factory.totals() == {day(4): Decimal(10)}
