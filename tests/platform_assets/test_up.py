"""Everything up through `takt up`: one running installation for all tests of this module, in their order."""

import json
import signal
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta

import httpx
import psutil
import pytest

from platform_assets.run import run_dates
from tests.conftest import Server
from tests.platform_assets.conftest import opened
from tests.platform_assets.graphql import DRY_RUN, Webserver, wait_for
from tests.platform_assets.place import Place, days, order

TAKT = [sys.executable, "-m", "platform_cli.main"]
WEEK = days(3)
LATE = WEEK[2] + timedelta(days=2)
CHAIN = [
    ["raw", "work_order"],
    ["staging", "stg_work_order"],
    ["bi", "fact_daily_production"],
    ["bi", "mv_oee_daily"],
]


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
                place.land([order(1, LATE)])  # for the daemon, while the tests before do their work
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


def test_a_backfill_of_many_dates_is_one_run_and_a_broken_date_shows_as_failed(up: Up) -> None:
    backfill = up.dagster.backfill(CHAIN, [day.isoformat() for day in WEEK])

    def finished() -> list[dict[str, object]] | None:
        runs = up.dagster.runs("dagster/backfill", backfill)
        return runs if runs and all(run["status"] in ("SUCCESS", "FAILURE") for run in runs) else None

    [run] = wait_for(finished, 120, "the backfill's run")
    assert run["status"] == "SUCCESS"
    broken = WEEK[1].isoformat()
    verdicts = up.dagster.date_verdicts(["bi", "fact_daily_production"])
    assert [each for each in verdicts if each[0] != LATE.isoformat()] == [
        (WEEK[0].isoformat(), WEEK[0].isoformat(), "SUCCEEDED"),
        (broken, broken, "FAILED"),
        (WEEK[2].isoformat(), WEEK[2].isoformat(), "SUCCEEDED"),
    ]
    produced = up.place.rows("select date, good_qty from bi.mv_oee_daily order by date")
    assert [(day, int(good)) for day, good in produced if day in WEEK] == [(day, 1390) for day in WEEK]


def test_a_late_record_is_taken_up_by_the_daemon(up: Up) -> None:
    def refreshed() -> list[tuple[object, ...]] | None:
        return up.place.rows("select 1 from bi.mv_oee_daily where date = %(day)s", day=LATE) or None

    wait_for(refreshed, 120, "the sensor's run")
    assert up.dagster.runs("takt/dirty", "yes")


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
