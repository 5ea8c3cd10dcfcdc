"""Everything up through `takt up`: one running installation for all tests of this module, in their order."""

import json
import signal
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import psutil
import pytest

from dbt_like_sql.project import load_project
from platform_assets.run import run_dates
from platform_core.ingest.record_types import RECORD_TYPES
from tests.conftest import Server
from tests.platform_assets.conftest import opened
from tests.platform_assets.graphql import DRY_RUN, MATERIALIZED, Webserver, wait_for
from tests.platform_assets.place import ARRIVED, Place, days, order

TAKT = [sys.executable, "-m", "platform_cli.main"]
WEEK = days(3)
MONTH = days(30)
LATE = MONTH[-1] + timedelta(days=5)
INVENTORY = ["bi", "fact_inventory_snapshot"]


@dataclass(frozen=True)
class Up:
    """A running `takt up`, where its parts answer, and every process that belonged to it at the start."""

    place: Place
    process: subprocess.Popen[str]
    where: dict[str, str]
    family: list[psutil.Process]

    @property
    def dagster(self) -> Webserver:
        """Its GraphQL."""
        return Webserver(self.where["dagster"])


@pytest.fixture(scope="module")
def up(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Generator[Up]:
    """`takt up` on a database of its own, with three days of records of which the second is broken."""
    with opened(server, tmp_path_factory.mktemp("up") / "takt") as place:
        place.land([order(1, day) for day in WEEK])
        assert run_dates(place.settings, WEEK[1], WEEK[1]).ok
        place.break_day(WEEK[1])
        command = [*TAKT, "up", "--json", "--dagster-port", "0", "--api-port", "0"]
        with subprocess.Popen(
            command, env=place.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            try:
                line = process.stdout.readline()
                assert line, process.stderr.read()
                # For the daemon, while the tests before do their work.
                place.land([order(1, LATE)], now=ARRIVED + timedelta(days=30))
                family = psutil.Process(process.pid).children(recursive=True)
                yield Up(place, process, json.loads(line), family)
            finally:
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=60)


def test_it_is_ready_with_everything_there(up: Up) -> None:
    answer = httpx.get(f"{up.where['api']}/ready", timeout=10)
    assert (answer.status_code, answer.json()["missing"]) == (200, [])


def test_a_second_one_says_where_the_first_is(up: Up) -> None:
    again = subprocess.run([*TAKT, "up"], env=up.place.environment(), capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert up.where["dagster"] in again.stderr
    assert f"process {up.process.pid}" in again.stderr


def _dated_assets() -> list[list[str]]:
    """Everything from raw records to marts, as the UI selects it."""
    models = [relation.split(".") for relation, model in load_project().models.items() if model.layer != "dimensions"]
    return [["raw", kind.name] for kind in RECORD_TYPES.values() if kind.dated] + models


def _run_of(up: Up, backfill: str) -> dict[str, Any]:
    """The one run of a backfill, ended."""

    def finished() -> list[dict[str, Any]] | None:
        runs = up.dagster.runs("dagster/backfill", backfill)
        return runs if runs and all(run["status"] in ("SUCCESS", "FAILURE") for run in runs) else None

    [run] = wait_for(finished, 240, "the backfill's run")
    return run


def test_a_backfill_of_30_dates_and_all_assets_is_one_run_and_a_broken_date_shows_as_failed(up: Up) -> None:
    backfill = up.dagster.backfill(_dated_assets(), [day.isoformat() for day in MONTH])
    assert _run_of(up, backfill)["status"] == "SUCCESS"
    for key in _dated_assets():
        partitions = up.dagster.ask(MATERIALIZED, key={"path": key})["assetNodeOrError"]["assetPartitionStatuses"]
        made = [(each["startKey"], each["endKey"]) for each in partitions["ranges"] if each["status"] == "MATERIALIZED"]
        assert (MONTH[0].isoformat(), MONTH[-1].isoformat()) in made, key
    broken = WEEK[1].isoformat()
    verdicts = up.dagster.date_verdicts(["bi", "fact_daily_production"])
    assert [each for each in verdicts if each[0] != LATE.isoformat()] == [
        (WEEK[0].isoformat(), WEEK[0].isoformat(), "SUCCEEDED"),
        (broken, broken, "FAILED"),
        (WEEK[2].isoformat(), MONTH[-1].isoformat(), "SUCCEEDED"),
    ]
    produced = up.place.rows("select date, good_qty from bi.mv_oee_daily order by date")
    assert [(day, int(good)) for day, good in produced if day in WEEK] == [(day, 1390) for day in WEEK]


def test_a_late_record_is_taken_up_by_the_daemon(up: Up) -> None:
    def refreshed() -> list[tuple[object, ...]] | None:
        return up.place.rows("select 1 from bi.mv_oee_daily where date = %(day)s", day=LATE) or None

    wait_for(refreshed, 120, "the sensor's run")
    assert up.dagster.runs("takt/dirty", "yes")


def test_the_daemon_remembers_a_failed_run_and_one_that_went_well(up: Up) -> None:
    up.place.write("alter table staging.stg_inventory rename column stock_qty to gone")
    try:
        failed = _run_of(up, up.dagster.backfill([INVENTORY], [WEEK[0].isoformat()]))
    finally:
        up.place.write("alter table staging.stg_inventory rename column gone to stock_qty")
    assert failed["status"] == "FAILURE"

    def remembered() -> list[tuple[object, ...]] | None:
        query = "select job_name, status, first_date, error_message from bi.etl_job_executions where run_id = %(run)s"
        return up.place.rows(query, run=failed["runId"]) or None

    [(job, status, first, error)] = wait_for(remembered, 90, "the failed run in bi.etl_job_executions")
    assert (job == failed["jobName"], status, first) == (True, "failed", WEEK[0])
    assert "stock_qty" in str(error)
    shown = subprocess.run([*TAKT, "status"], env=up.place.environment(), capture_output=True, text=True, check=True)
    assert f"Failed run {failed['runId'][:8]}" in shown.stdout

    def completed() -> list[tuple[object, ...]] | None:
        query = "select 1 from bi.etl_job_executions where status = 'completed' and run_id = any(%(runs)s)"
        good = [run["runId"] for run in up.dagster.runs("takt/dirty", "yes") if run["status"] == "SUCCESS"]
        return up.place.rows(query, runs=good) or None

    wait_for(completed, 90, "the sensor's run in bi.etl_job_executions")


def test_the_schedule_ticks(up: Up) -> None:
    schedule = {"repositoryName": "__repository__", "repositoryLocationName": "takt", "scheduleName": "daily_refresh"}
    two_in_seoul = 1773075600.0  # 2026-03-09T17:00Z
    tick = up.dagster.ask(DRY_RUN, schedule=schedule, at=two_in_seoul)["scheduleDryRun"]["evaluationResult"]
    assert tick["error"] is None
    tags = {each["key"]: each["value"] for each in tick["runRequests"][0]["tags"]}
    assert tags["dagster/asset_partition_range_start"] == "2026-03-09"
    assert tags["dagster/asset_partition_range_end"] == "2026-03-10"


def test_ctrl_c_stops_it_and_leaves_no_process(up: Up) -> None:
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(60) == 0
    _, alive = psutil.wait_procs(up.family, timeout=10)
    assert alive == []
    assert not (up.place.settings.home / "run" / "up.json").exists()
