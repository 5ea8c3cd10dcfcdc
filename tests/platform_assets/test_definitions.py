"""The definitions load on their own, say what they should, and hold for whatever plants there are."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import dagster as dg
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._utils.schedules import schedule_execution_time_iterator

from dbt_like_sql.project import load_project
from platform_assets.environment import settings_in_force
from platform_assets.location import build_definitions
from platform_assets.schedules import schedules
from platform_core.ingest.record_types import RECORD_TYPES
from platform_core.settings import Settings
from platform_core.status import timetable
from platform_core.tenants.service import create_tenant
from platform_core.warehouse.connection import transaction
from platform_core.warehouse.rules import rules_of
from tests.platform_assets.place import Place, repository

LIST_ASSETS = """
import json
from platform_assets.definitions import defs
graph = defs.resolve_asset_graph()
assets = sorted(key.to_user_string() for key in graph.get_all_asset_keys())
print(json.dumps({"assets": assets, "schedules": [each.name for each in defs.schedules or []]}))
"""


def _fresh_interpreter(environment: dict[str, str]) -> tuple[dict[str, list[str]], str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LIST_ASSETS],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


@pytest.fixture
def away(tmp_path: Path) -> Settings:
    """Settings of a home where no server has ever been made."""
    return Settings(home=tmp_path / "nothing", database_url=None, api_database_url=None)


def _definitions(settings: Settings) -> dg.Definitions:
    with settings_in_force(settings):
        return build_definitions()


def test_they_load_in_a_fresh_interpreter_with_the_database_away_and_start_no_server(tmp_path: Path) -> None:
    home = tmp_path / "nothing"
    found, said = _fresh_interpreter({"PATH": "", "HOME": str(tmp_path), "TAKT_HOME": str(home)})
    assert found["schedules"][0] == "daily_refresh"
    assert "packaged defaults (Asia/Seoul)" in said
    assert not home.exists()


def test_they_load_in_a_fresh_interpreter_with_the_database(place: Place) -> None:
    found, said = _fresh_interpreter(place.environment())
    assert said == ""
    expected = {f"raw/{name}" for name in RECORD_TYPES}
    expected |= {name.replace(".", "/") for name in load_project().models}
    assert set(found["assets"]) == expected | {"ops/inbox", "ops/maintenance"}


def test_a_database_that_does_not_answer_leaves_the_packaged_defaults(
    away: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    unreachable = away.model_copy(
        update={
            "database_url": "postgresql://nobody:x@127.0.0.1:9/none",
            "api_database_url": "postgresql://nobody:x@127.0.0.1:9/none",
        }
    )
    definitions = _definitions(unreachable)
    assert "cannot be read" in caplog.text
    assert definitions.resolve_schedule_def("daily_refresh").execution_timezone == "Asia/Seoul"


def test_each_distinct_plant_zone_has_a_refresh_at_two_and_today_is_the_latest_plants(place: Place) -> None:
    with transaction(place.warehouse) as connection:
        create_tenant(connection, "west", "West", "America/Chicago")
        create_tenant(connection, "west2", "West 2", "America/Chicago")
    definitions = _definitions(place.settings)
    names = ("daily_refresh", "daily_refresh_america_chicago")
    schedules = [definitions.resolve_schedule_def(name) for name in names]
    assert [each.execution_timezone for each in schedules] == ["Asia/Seoul", "America/Chicago"]
    assert {each.cron_schedule for each in schedules} == {"0 2 * * *"}
    partitions = definitions.resolve_assets_def(["bi", "fact_daily_production"]).partitions_def
    assert isinstance(partitions, dg.DailyPartitionsDefinition)
    late = datetime(2026, 3, 9, 15, 30, tzinfo=UTC)  # 00:30 on the 10th in Seoul, 10:30 on the 9th in Chicago
    with partition_loading_context(effective_dt=late):
        assert partitions.get_last_partition_key() == "2026-03-10"
    assert partitions.get_first_partition_key() == "2024-01-01"


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    """The definitions with the packaged defaults."""
    return _definitions(Settings(home=tmp_path_factory.mktemp("home") / "none", database_url=None))


def test_raw_to_mart_share_one_daily_partitioning_and_dimensions_have_none(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    daily = {key for key in graph.get_all_asset_keys() if graph.get(key).partitions_def is not None}
    assert len({graph.get(key).partitions_def for key in daily}) == 1
    assert {graph.get(key).group_name for key in daily} == {"raw", "staging", "facts", "marts"}
    assert all(graph.get(key).backfill_policy == dg.BackfillPolicy.single_run() for key in daily)
    undated = graph.get_all_asset_keys() - daily
    assert {graph.get(key).group_name for key in undated} == {"master", "dimensions", "operations"}


def test_the_jobs_are_selections_that_hold_every_asset_once(definitions: dg.Definitions) -> None:
    keys = [
        key
        for name in ("daily", "dimensions", "inbox", "maintenance")
        for key in definitions.resolve_job_def(name).asset_layer.executable_asset_keys
    ]
    assert sorted(keys) == sorted(definitions.resolve_asset_graph().get_all_asset_keys())


def test_each_expectation_is_a_check_that_blocks_nothing(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for relation, model in load_project().models.items():
        keys = graph.get(dg.AssetKey(relation.split("."))).check_keys
        expected = {rule.name for rule in rules_of(model)} | {"dates_published"}
        assert {key.name for key in keys} == expected
        assert not any(graph.get(key).blocking for key in keys)


def test_an_asset_tells_columns_lineage_owner_and_files(definitions: dg.Definitions) -> None:
    model = load_project().models["bi.fact_daily_production"]
    key = dg.AssetKey(["bi", "fact_daily_production"])
    spec = definitions.resolve_assets_def(key).get_asset_spec(key)
    columns = spec.metadata["dagster/column_schema"].columns
    assert [column.name for column in columns] == [column.name for column in model.spec.columns]
    assert all(column.description for column in columns)
    lineage = spec.metadata["dagster/column_lineage"].deps_by_column
    assert dg.TableColumnDep(dg.AssetKey(["staging", "stg_work_order"]), "good_qty") in lineage["good_qty"]
    assert spec.code_version == model.digest
    assert (spec.group_name, spec.owners, spec.kinds) == ("facts", [model.spec.owner], {"sql", "postgres", "gold"})
    files = spec.metadata["dagster/code_references"].code_references
    assert [each.label for each in files] == ["fact_daily_production.sql", "fact_daily_production.yml"]
    links = [spec.metadata[name].url for name in ("definition", "contract")]
    assert [Path(url2pathname(urlsplit(link).path)) for link in links] == [model.path, model.path.with_suffix(".yml")]


def test_the_daily_refresh_asks_for_yesterday_and_today_of_its_plant(definitions: dg.Definitions) -> None:
    two_in_seoul = datetime(2026, 3, 9, 17, 0, tzinfo=UTC)
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(instance=instance, scheduled_execution_time=two_in_seoul)
        requests = definitions.resolve_schedule_def("daily_refresh").evaluate_tick(context).run_requests or []
    assert len(requests) == 1
    wanted = dg.PartitionKeyRange("2026-03-09", "2026-03-10")
    assert requests[0].partition_key_range == wanted


def _tick(schedule: dg.ScheduleDefinition, at: datetime) -> dg.RunRequest:
    """The one run that a schedule asks for at a moment at which it is due."""
    due = next(schedule_execution_time_iterator(at.timestamp(), schedule.cron_schedule, schedule.execution_timezone))
    assert due == at
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(instance=instance, scheduled_execution_time=due)
        [request] = schedule.evaluate_tick(context).run_requests or []
    return request


def test_the_hourly_refresh_asks_for_today_of_every_plant(definitions: dg.Definitions) -> None:
    at = datetime(2026, 3, 9, 16, 5, tzinfo=UTC)  # 01:05 on the 10th in Seoul, 11:05 on the 9th in Chicago
    alone = _tick(definitions.resolve_schedule_def("hourly_refresh"), at)
    assert alone.partition_key_range == dg.PartitionKeyRange("2026-03-10", "2026-03-10")
    both = {each.name: each for each in schedules(("America/Chicago", "Asia/Seoul"), at)}
    assert _tick(both["hourly_refresh"], at).partition_key_range == dg.PartitionKeyRange("2026-03-09", "2026-03-10")


@pytest.mark.parametrize(
    ("name", "job", "at"),
    [
        ("master_data", "dimensions", datetime(2026, 3, 9, 16, 30, tzinfo=UTC)),
        ("maintenance_schedule", "maintenance", datetime(2026, 3, 9, 18, 30, tzinfo=UTC)),
    ],
)
def test_what_is_done_each_night_has_no_dates(definitions: dg.Definitions, name: str, job: str, at: datetime) -> None:
    schedule = definitions.resolve_schedule_def(name)
    request = _tick(schedule, at)
    assert (schedule.job_name, request.partition_key_range, request.partition_key) == (job, None, None)


def test_status_and_the_schedules_agree_on_the_next_run(definitions: dg.Definitions) -> None:
    now = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)

    def following(name: str) -> datetime:
        schedule = definitions.resolve_schedule_def(name)
        return next(
            schedule_execution_time_iterator(now.timestamp(), schedule.cron_schedule, schedule.execution_timezone)
        )

    assert timetable.next_runs(["Asia/Seoul"], now) == (("Asia/Seoul", following("daily_refresh")),)
    assert timetable.next_refresh(["Asia/Seoul"], now) == following("hourly_refresh")
    assert timetable.next_master_data(["Asia/Seoul"], now) == following("master_data")


def test_every_schedule_and_sensor_runs_without_being_switched_on(definitions: dg.Definitions) -> None:
    repository_def = definitions.get_repository_def()
    assert {each.default_status for each in repository_def.schedule_defs} == {dg.DefaultScheduleStatus.RUNNING}
    assert {each.default_status for each in repository_def.sensor_defs} == {dg.DefaultSensorStatus.RUNNING}


def test_the_instance_files_of_the_repository_are_those_of_the_package() -> None:
    for name in ("dagster.yaml", "workspace.yaml"):
        shipped = repository() / "platform_assets" / "config" / name
        assert (repository() / name).read_text() == shipped.read_text()
