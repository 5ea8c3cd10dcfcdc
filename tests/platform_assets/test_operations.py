"""What keeps the platform going by itself: sources, inbox, maintenance, and the memory of failed runs."""

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from platform_assets.environment import settings_in_force
from platform_assets.executions import remember
from platform_assets.instance import open_instance
from platform_assets.location import build_definitions
from platform_assets.resources import WarehouseAccess
from platform_assets.run import run_dates, today
from platform_core.clock import utc_now
from platform_core.factory.contracts import Period
from platform_core.factory.disturbances import make_history
from platform_core.factory.erp_sources import source_files
from platform_core.factory.mock_erp import PASSWORD, MockErp, Trouble
from platform_core.factory.plants import make_plants
from platform_core.status.service import read_status
from tests.platform_assets.place import DAY, Place, order, repository

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


def test_maintenance_removes_tokens_that_are_long_over(place: Place) -> None:
    add_user = """insert into core.users (tenant_id, email, username, display_name)
        values (%(tenant)s, 'kim@x', 'kim', 'Kim') returning id"""
    [(user,)] = place.rows(add_user, tenant=place.tenant.id)
    for age in (100, 1):
        place.write(
            """insert into core.refresh_token (tenant_id, user_id, family, family_started_at, token_hash, issued_at,
                expires_at) values (%(tenant)s, %(user)s, gen_random_uuid(), now(), %(hash)s, now(),
                now() - make_interval(days => %(age)s))""",
            tenant=place.tenant.id,
            user=user,
            hash=str(age).encode(),
            age=age,
        )
    assert _metadata(_execute(place, "maintenance"))["tokens removed"] == 1
    assert place.rows("select token_hash from core.refresh_token") == [(b"1",)]


def test_the_master_data_job_pulls_lines_and_makes_their_dimension(place: Place, tmp_path: Path) -> None:
    (tmp_path / "lines.csv").write_text("line_code,name,plant_code\nL07,Press,P1\n")
    _source(place, "lines", f"mapping: takt_line\npath: {tmp_path / 'lines.csv'}\n")
    result = _execute(place, "dimensions")
    assert result.success
    assert place.rows("select name, plant_code from bi.dim_line where line_code = 'L07'") == [("Press", "P1")]


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


def _source(place: Place, name: str, text: str) -> None:
    folder = place.settings.home / "tenants" / "default" / "sources"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yml").write_text(text, encoding="utf-8")


def _pulled(place: Place, record_type: str) -> tuple[dict[str, Any], dg.AssetCheckEvaluation]:
    """Metadata and check of `raw/<type>`, materialized for today's date as a run of Dagster's own."""
    day = today(place.settings).isoformat()
    tags = {"dagster/asset_partition_range_start": day, "dagster/asset_partition_range_end": day}
    result = _execute(place, "daily", [dg.AssetKey(["raw", record_type])], **tags)
    assert result.success
    [check] = result.get_asset_check_evaluations()
    return _metadata(result), check


def _watermark(place: Place, source: str) -> str | None:
    query = "select watermark from core.source_watermark where source_name = %(source)s"
    return next((text for (text,) in place.rows(query, source=source)), None)


def test_a_database_is_a_source_that_goes_on_from_its_watermark(place: Place, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "odoo.db", isolation_level=None)) as odoo:
        odoo.executescript((repository() / "tests/ingest/samples/odoo.sql").read_text("utf-8"))
        _source(place, "odoo", f"mapping: odoo_mrp_workorder\nreader:\n  url: sqlite:///{tmp_path / 'odoo.db'}\n")
        metadata, check = _pulled(place, "work_order")
        assert (metadata["sources"], metadata["landed"], metadata["failed"]) == (1, 1, [])
        assert (check.check_name, check.passed, check.metadata["asked"].value) == ("sources_answered", True, 1)
        found = place.rows("select source_system, source_pk, raw_data ->> 'good_qty' from core.erp_mes_data")
        assert found == [("odoo", "500", "95")]
        assert (_watermark(place, "odoo") or "").startswith("2025-03-05")
        odoo.execute(
            "update mrp_workorder set state = 'done', qty_produced = 7, date_finished = '2025-03-06 06:00:00', "
            "write_date = '2025-03-06 06:01:00' where id = 501"
        )
        metadata, _ = _pulled(place, "work_order")
        assert (metadata["landed"], metadata["unchanged"]) == (1, 1)
        assert (_watermark(place, "odoo") or "").startswith("2025-03-06")
        metadata, _ = _pulled(place, "work_order")
        assert ("landed" in metadata, metadata["unchanged"]) == (False, 1)  # the older of the two is not asked for


def test_a_rest_service_is_a_source_and_one_that_is_gone_fails_its_check(place: Place) -> None:
    history = make_history(make_plants(1, 3)[0], Period(date(2026, 3, 2), date(2026, 3, 4), 2, 5))
    with MockErp([history], trouble=Trouble(share=0.3, retry_after_seconds=0, slow_seconds=0)) as erp:
        _source(place, "erp_orders", source_files(erp.url, history.plant.slug)["erp_orders"])
        metadata, check = _pulled(place, "order")
        assert check.passed
        assert metadata["landed"] == len(history.orders) > 0
        assert place.rows("select count(*) from core.erp_mes_data where record_type = 'order'") == [
            (len(history.orders),)
        ]
        mark = _watermark(place, "erp_orders")
        assert mark is not None
        metadata, check = _pulled(place, "order")
        assert check.passed
        assert "landed" not in metadata
        assert 0 < metadata["unchanged"] < len(history.orders)
    # An answer that never comes is waited for too long here; a wrong password is told at once.
    with MockErp([history], trouble=Trouble(share=0)) as erp:
        broken = source_files(erp.url, history.plant.slug)["erp_orders"].replace(PASSWORD, "wrong")
        _source(place, "erp_orders", broken)
        metadata, check = _pulled(place, "order")
    assert not check.passed
    assert check.metadata["failed"].value == ["default erp_orders"]
    assert "401" in metadata["failed"][0]["reason"]
    assert _watermark(place, "erp_orders") == mark


EXECUTIONS = """
select job_name, status, first_date, last_date, error_message from bi.etl_job_executions
where run_id = %(run)s
"""


def test_runs_of_the_command_line_are_remembered_without_any_daemon(place: Place) -> None:
    place.land([order(1, DAY)])
    good = run_dates(place.settings, DAY, DAY, select=["stg_work_order"]).runs
    place.write("alter table staging.stg_work_order rename column good_qty to gone")
    bad = run_dates(place.settings, DAY, DAY, select=["stg_work_order"]).runs
    assert place.rows(EXECUTIONS, run=good[-1]) == [("daily", "completed", DAY, DAY, None)]
    [failed] = place.rows(EXECUTIONS, run=bad[-1])
    assert failed[:4] == ("daily", "failed", DAY, DAY)
    assert "good_qty" in failed[4]
    [shown] = read_status(place.warehouse, now=utc_now()).failed_runs
    assert (shown.run_id, shown.error) == (bad[-1], failed[4])
    with open_instance(place.settings) as instance:  # as the sensors of a daemon that comes later do
        for run_id in (good[-1], bad[-1], bad[-1]):
            remember(instance, place.warehouse, run_id, "It failed.")
    runs = {*good, *bad}
    assert place.rows("select count(*), count(distinct run_id) from bi.etl_job_executions") == [(len(runs), len(runs))]
    assert place.rows(EXECUTIONS, run=bad[-1]) == [failed]


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
