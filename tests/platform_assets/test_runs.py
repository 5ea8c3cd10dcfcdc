"""Assets executed in this process, from records to marts, against the real database."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import dagster as dg
import pytest

from platform_assets.errors import DatesNotHeldError, RunInterruptedError, UnknownAssetError
from platform_assets.instance import open_instance
from platform_assets.launcher import GONE
from platform_assets.run import run_dates, run_dirty, today
from platform_assets.summary import StepDone
from platform_core.clock import utc_now
from platform_core.ingest.contracts import MappedRecord
from platform_core.tenants.service import create_tenant
from platform_core.warehouse.connection import transaction
from tests.platform_assets.place import DAY, Place, days, order

CHAIN = ["*bi/mv_oee_daily"]
"""One raw-to-mart path; most tests need no more."""

OEE = "select date, total_qty, availability from bi.mv_oee_daily order by date"
PRODUCED = "select date, total_qty, good_qty from bi.fact_daily_production order by date"


@contextmanager
def _instance(place: Place) -> Generator[dg.DagsterInstance]:
    with open_instance(place.settings) as instance:
        yield instance


def test_records_become_a_mart_row_in_one_run_that_the_ui_shows(place: Place) -> None:
    place.land([order(1, DAY), order(2, DAY, start_time=f"{DAY}T09:00:00+09:00")])
    steps: list[StepDone] = []
    summary = run_dates(place.settings, DAY, DAY, progress=steps.append)
    assert summary.failures == ()
    assert place.rows(OEE) == [(DAY, 3000, 0.875)]
    assert summary.rows["bi.fact_daily_production"] == 1
    daily = [step for step in steps if step.asset == "bi.mv_oee_daily"]
    assert [str(step.dates) for step in daily] == [f"{DAY}"]
    assert steps[-1].done == steps[-1].total
    with _instance(place) as instance:
        run = instance.get_run_by_id(summary.runs[-1])
        assert run is not None
        assert (run.job_name, run.status) == ("daily", dg.DagsterRunStatus.SUCCESS)
        made = instance.get_materialized_partitions(dg.AssetKey(["bi", "fact_daily_production"]))
        assert made == {DAY.isoformat()}
        [record] = instance.fetch_materializations(dg.AssetKey(["raw", "work_order"]), limit=1).records
        assert record.asset_materialization is not None
        assert record.asset_materialization.metadata["dagster/partition_row_count"].value == 2


def test_a_broken_date_keeps_its_version_shows_as_failed_and_holds_back_no_neighbour(place: Place) -> None:
    week = days(3)
    place.land([order(1, day) for day in week])
    assert run_dates(place.settings, week[0], week[-1], select=CHAIN).ok
    place.land([order(2, day, start_time=f"{day}T09:00:00+09:00") for day in week])
    place.break_day(week[1])
    summary = run_dates(place.settings, week[0], week[-1], select=CHAIN)
    assert place.rows(PRODUCED) == [(week[0], 3000, 2780), (week[1], 1500, 1390), (week[2], 3000, 2780)]
    assert {(failure.tenant, failure.date) for failure in summary.failures} == {("default", week[1].isoformat())}
    assert "good_and_defect_make_total" in summary.failures[0].reason
    broken = {failure.model for failure in summary.failures}
    with _instance(place) as instance:
        assert _verdicts(instance, broken.pop()) == {
            week[0].isoformat(): "SUCCEEDED",
            week[1].isoformat(): "FAILED",
            week[2].isoformat(): "SUCCEEDED",
        }


def _verdicts(instance: dg.DagsterInstance, relation: str) -> dict[str, str]:
    key = dg.AssetCheckKey(dg.AssetKey(relation.split(".")), "dates_published")
    found = instance.event_log_storage.get_asset_check_partition_info([key])
    return {info.partition_key: info.latest_execution_status.value for info in found if info.partition_key}


def test_the_verdict_of_a_date_is_the_worst_over_tenants_and_names_them(place: Place) -> None:
    with transaction(place.warehouse) as connection:
        other = create_tenant(connection, "other", "Other", "Asia/Seoul")
    place.land([order(1, DAY)], tenant=other)
    place.break_day(DAY)
    place.land([order(1, DAY)])
    summary = run_dates(place.settings, DAY, DAY, select=CHAIN)
    assert {failure.tenant for failure in summary.failures} == {"other"}
    assert place.rows(PRODUCED) == [(DAY, 1500, 1390)]


def test_what_cannot_be_checked_or_computed_fails_the_asset_with_its_reason(place: Place) -> None:
    place.land([order(1, DAY)])
    place.write("alter table staging.stg_work_order rename column good_qty to gone")
    summary = run_dates(place.settings, DAY, DAY, select=CHAIN)
    failure = next(each for each in summary.failures if each.model == "staging.stg_work_order")
    assert (failure.tenant, failure.date) == (None, DAY.isoformat())
    assert "good_qty" in failure.reason


def test_a_feed_that_went_silent_is_a_warning_in_the_ui_and_holds_nothing_back(place: Place) -> None:
    place.land([order(1, DAY)])
    summary = run_dates(place.settings, DAY, DAY, select=CHAIN)
    assert summary.failures == ()
    key = dg.AssetCheckKey(dg.AssetKey(["bi", "fact_daily_production"]), "is_fresh")
    with _instance(place) as instance:
        [record] = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
        assert record.event is not None
        assert record.event.dagster_event is not None
        evaluation = record.event.dagster_event.asset_check_evaluation_data
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert evaluation.metadata["broken"].value == [f"default {DAY}"]


@pytest.mark.parametrize("command", [["backfill", "--from", f"{DAY}", "--to", f"{DAY}"], ["refresh", f"{DAY}"]])
def test_dates_of_one_tenant_alone_are_refused_as_bad_usage(place: Place, command: list[str]) -> None:
    asked = [sys.executable, "-m", "platform_cli.main", *command, "--tenant", "default"]
    refused = subprocess.run(asked, env=place.environment(), capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "for all tenants" in " ".join(refused.stderr.split())
    assert place.rows("select from core.partition_state") == []


def test_a_date_beside_dirty_is_bad_usage(place: Place) -> None:
    asked = [sys.executable, "-m", "platform_cli.main", "refresh", "--dirty", "--date", f"{DAY}"]
    refused = subprocess.run(asked, env=place.environment(), capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "leave the date" in " ".join(refused.stderr.split())


def test_ctrl_c_ends_a_run_with_a_sentence_and_the_same_again_makes_the_rest(place: Place) -> None:
    place.land([order(1, DAY)])

    def press(step: StepDone) -> None:
        if step.asset == "staging.stg_work_order":
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(RunInterruptedError, match="Interrupted"):
        run_dates(place.settings, DAY, DAY, select=CHAIN, progress=press)
    assert place.rows(OEE) == []
    assert run_dates(place.settings, DAY, DAY, select=CHAIN).ok
    assert place.rows(OEE) == [(DAY, 1500, 0.875)]


def test_only_what_is_dirty_is_made_and_dimensions_come_first(place: Place) -> None:
    place.land([MappedRecord(1, "L01", None, {"line_code": "L01", "name": "Line 1"}, "")], "line")
    place.land([order(1, DAY), order(2, DAY + timedelta(days=3))])
    summary = run_dirty(place.settings)
    assert summary.failures == ()
    assert [str(each) for each in summary.dates] == [f"{DAY}", f"{DAY + timedelta(days=3)}"]
    assert len(place.rows("select from bi.dim_line")) == 1
    assert len(place.rows(PRODUCED)) == 2
    assert run_dirty(place.settings).runs == ()


def test_orders_ahead_of_today_are_made_with_today(place: Place) -> None:
    now = utc_now()
    newest = today(place.settings)
    due = newest + timedelta(days=40)
    payload = {"order_id": "O-1", "customer_code": "C", "product_code": "P001", "order_qty": 5}
    place.land([MappedRecord(1, "O-1", None, payload | {"delivery_date": due.isoformat()}, "")], "order", now=now)
    assert run_dates(place.settings, newest, newest, select=["stg_order", "fact_order_daily"]).ok
    assert place.rows("select date, order_count from bi.fact_order_daily") == [(due, 1)]


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (DAY, DAY - timedelta(days=1), "is after"),
        (DAY.replace(year=2023), DAY, "before 2024-01-01"),
        (DAY, DAY.replace(year=2999), "after today"),
    ],
)
def test_dates_that_are_not_held_are_refused(place: Place, first: object, last: object, said: str) -> None:
    with pytest.raises(DatesNotHeldError, match=said):
        run_dates(place.settings, first, last)  # type: ignore[arg-type]


def test_a_selection_of_nothing_names_what_is_near(place: Place) -> None:
    with pytest.raises(UnknownAssetError, match="mv_oee_dayly") as refused:
        run_dates(place.settings, DAY, DAY, select=["mv_oee_dayly"])
    assert "mv_oee_daily" in (refused.value.hint or "")


RUN_AND_HANG = """
import os, sys, time
from datetime import date
from platform_assets.run import run_dates
from platform_core.settings import Settings
def hang(step):
    print("hanging", flush=True)
    time.sleep(600)
day = date.fromisoformat(sys.argv[1])
run_dates(Settings(), day, day, select=["raw/work_order"], progress=hang)
"""


def test_a_run_that_was_killed_is_marked_as_failed_by_the_next(place: Place) -> None:
    place.land([order(1, DAY)])
    command = [sys.executable, "-c", RUN_AND_HANG, DAY.isoformat()]
    with subprocess.Popen(
        command, env=place.environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as hung:
        assert hung.stdout is not None
        assert hung.stdout.readline() == "hanging\n"
        os.kill(hung.pid, signal.SIGKILL)
    with _instance(place) as instance:
        [killed] = instance.get_runs()
        assert killed.status == dg.DagsterRunStatus.STARTED
    assert run_dates(place.settings, DAY, DAY, select=CHAIN).ok
    with _instance(place) as instance:
        statuses = {run.run_id: run.status for run in instance.get_runs()}
    assert statuses.pop(killed.run_id) == dg.DagsterRunStatus.FAILURE
    assert set(statuses.values()) == {dg.DagsterRunStatus.SUCCESS}
    ended = "select status, error_message from bi.etl_job_executions where run_id = %(run)s"
    assert place.rows(ended, run=killed.run_id) == [("failed", GONE)]


def test_two_runs_of_one_date_at_once_wait_for_each_other(place: Place) -> None:
    place.land([order(1, DAY)])
    command = [sys.executable, "-m", "platform_cli.main", "backfill", "--from", f"{DAY}", "--to", f"{DAY}", "--json"]
    command += ["--select", *CHAIN]

    def backfill(_: int) -> dict[str, object]:
        done = subprocess.run(command, env=place.environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    with ThreadPoolExecutor(2) as both:
        summaries = list(both.map(backfill, range(2)))
    assert [summary["ok"] for summary in summaries] == [True, True]
    assert place.rows(PRODUCED) == [(DAY, 1500, 1390)]
