"""What keeps the platform going by itself: sources, inbox, maintenance, and the memory of failed runs."""

from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from platform_assets import store
from platform_assets.environment import settings_in_force
from platform_assets.failures import failed_run
from platform_assets.instance import open_instance
from platform_assets.location import build_definitions
from platform_assets.resources import WarehouseAccess
from platform_assets.run import run_dates
from platform_core.warehouse.connection import transaction
from tests.platform_assets.place import DAY, Place, order

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
MES_FILE = """work_order_id,line_code,product_code,shift,start_time,end_time,total_qty,good_qty,defect_qty
WO-1,L01,P001,day,2024-03-04T08:00:00+09:00,2024-03-04T16:00:00+09:00,1500,1390,110
"""


def _execute(place: Place, job: str, keys: list[dg.AssetKey] | None = None, **tags: str) -> dg.ExecuteInProcessResult:
    with settings_in_force(place.settings), open_instance(place.settings) as instance:
        return (
            build_definitions()
            .resolve_job_def(job)
            .execute_in_process(
                run_config=QUIET, instance=instance, asset_selection=keys, tags=tags, raise_on_error=False
            )
        )


def _metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    [event] = result.get_asset_materialization_events()
    return {name: value.value for name, value in event.materialization.metadata.items()}


def _sensor(place: Place, name: str) -> dg.SensorDefinition:
    with settings_in_force(place.settings):
        return build_definitions().resolve_sensor_def(name)


def _tick(place: Place, sensor: dg.SensorDefinition, cursor: str | None = None) -> SensorExecutionData:
    resources = {"warehouse": WarehouseAccess()}
    with (
        settings_in_force(place.settings),
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_sensor_context(instance=instance, resources=resources, cursor=cursor) as context,
    ):
        return sensor.evaluate_tick(context)


def test_maintenance_makes_partitions_ahead(place: Place) -> None:
    result = _execute(place, "maintenance")
    assert result.success
    assert any("erp_mes_data" in name for name in _metadata(result)["partitions made"])


def test_a_file_in_a_tenants_inbox_is_read_once_and_moved_away(place: Place) -> None:
    inbox = place.settings.home / "tenants" / "default" / "inbox" / "takt_mes_work_order"
    inbox.mkdir(parents=True)
    (inbox / "monday.csv").write_text(MES_FILE)
    sensor = _sensor(place, "inbox_files")
    asked = _tick(place, sensor).run_requests or []
    assert [request.job_name for request in asked] == ["inbox"]
    result = _execute(place, "inbox")
    assert _metadata(result)["files read"] == 1, _metadata(result)
    assert place.rows("select source_pk from core.erp_mes_data") == [("WO-1",)]
    assert [path.suffix for path in sorted((inbox.parent / "done").iterdir())] == [".csv", ".json"]


def test_a_raw_asset_pulls_the_sources_of_its_type_and_one_that_fails_holds_back_nothing(
    place: Place, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = place.settings.home / "tenants" / "default" / "sources"
    folder.mkdir(parents=True)
    file = tmp_path_factory.mktemp("mes") / "orders.csv"
    file.write_text(MES_FILE)
    (folder / "mes.yml").write_text(f"mapping: takt_mes_work_order\npath: {file}\n")
    (folder / "gone.yml").write_text(f"mapping: takt_mes_work_order\npath: {file.parent / 'nothing.csv'}\n")
    summary = run_dates(place.settings, DAY, DAY, select=["raw/work_order", "stg_work_order"])
    assert [(failure.tenant, failure.model) for failure in summary.failures] == [("default", "raw.work_order")]
    assert "source gone" in summary.failures[0].reason
    assert place.rows("select date, good_qty from staging.stg_work_order") == [(DAY, 1390)]


def test_a_failed_run_is_remembered_with_its_dates_and_its_innermost_reason(place: Place) -> None:
    place.land([order(1, DAY)])
    place.write("alter table staging.stg_work_order rename column good_qty to gone")
    run_id = run_dates(place.settings, DAY, DAY, select=["stg_work_order"]).runs[-1]
    with open_instance(place.settings) as instance:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        failed = failed_run(instance, run, "It failed.")
    with transaction(place.warehouse) as conn:
        store.record_failed_run(conn, failed)
        store.record_failed_run(conn, failed)
    found = place.rows("select job_name, status, first_date, last_date, error_message from bi.etl_job_executions")
    assert [row[:4] for row in found] == [("daily", "failed", DAY, DAY)]
    assert "good_qty" in found[0][4]


def test_dirty_dates_are_asked_for_once_while_nothing_changes(place: Place) -> None:
    place.land([order(1, DAY)])
    sensor = _sensor(place, "dirty_dates")
    _tick(place, sensor)  # the first use brings the shipped master data, which is dirty then
    place.write("delete from core.dirty_partition where date = '1970-01-01'")
    first = _tick(place, sensor)
    second = _tick(place, sensor, first.cursor)
    place.land([order(2, DAY)])
    third = _tick(place, sensor, first.cursor)
    [request] = first.run_requests or []
    assert request.partition_key_range == dg.PartitionKeyRange(DAY.isoformat(), DAY.isoformat())
    assert dg.AssetKey(["bi", "mv_oee_daily"]) in (request.asset_selection or ())
    assert not second.run_requests
    assert len(third.run_requests or []) == 1
