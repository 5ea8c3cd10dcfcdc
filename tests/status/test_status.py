"""`takt status` says how far each model is, what is open and why, and when the next refresh comes."""

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from dbt_like_sql.project import load_project
from platform_core.clock import utc_now
from platform_core.settings import Settings
from platform_core.status.contracts import OpenDate
from platform_core.status.service import read_status
from platform_core.status.timetable import next_master_data, next_refresh, next_runs
from platform_core.tenants.contracts import Tenant
from platform_core.tenants.errors import TenantNotFoundError
from platform_core.warehouse.connection import Warehouse, transaction
from platform_core.warehouse.contracts import UNDATED
from platform_core.warehouse.dirty import mark_dirty
from platform_core.warehouse.errors import MigrationError
from tests.conftest import Server

FACT, OTHER_FACT = "bi.fact_daily_production", "bi.fact_inventory_snapshot"
NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
STATE = """
insert into core.partition_state (tenant_id, model, date, state, version, rows, reason, published_at)
values (%s, %s, %s, %s, %s, %s, %s, %s)
"""


@pytest.fixture
def filled(warehouse: Warehouse, tenant: Tenant, other_tenant: Tenant) -> Warehouse:
    published = datetime(2026, 5, 20, 9, tzinfo=UTC)
    with transaction(warehouse) as conn:
        for owner, day, state, version, rows, reason in (
            (tenant, 18, "published", 2, 10, None),
            (tenant, 19, "failed", 1, 7, "good_and_defect_make_total: 3 rows"),
            (other_tenant, 17, "published", 1, 5, None),
        ):
            values = [owner.id, FACT, date(2026, 5, day), state, version, rows, reason, published]
            conn.execute(STATE, values)
        mark_dirty(conn, tenant.id, FACT, [date(2026, 5, 20)], reason="landed", today=NOW.date())
        mark_dirty(conn, other_tenant.id, "bi.mv_oee_daily", [UNDATED], reason="a fact was published")
    return warehouse


def test_each_model_with_its_last_good_date_rows_and_age(filled: Warehouse) -> None:
    status = read_status(filled, now=NOW)
    fact = next(model for model in status.models if model.model == FACT)
    assert (fact.rows, fact.last_good_date, fact.dirty, fact.failed) == (22, date(2026, 5, 18), 1, 1)
    assert fact.age_hours(NOW) == 3
    stored = [m.relation for m in load_project().models.values() if m.spec.materialized != "view"]
    assert [model.model for model in status.models] == stored


RULE = """
insert into bi.data_quality_rules (table_name, name, rule_type, rule_config, severity)
values (%s, 'is_fresh', 'custom_sql', '{"hours": 36}', 'warning')
"""
REJECTED = """
insert into core.load (id, tenant_id, source_system, record_type, source_name, mapping_name, mapping_digest)
values (%(load)s, %(tenant)s, 'MES', %(kind)s, 'f', 'm', '');
insert into core.rejected_record (
    tenant_id, load_id, source_system, record_type, mapping_name, source_name, source_row, reason_code, message,
    original
)
values (%(tenant)s, %(load)s, 'MES', %(kind)s, 'm', 'f', 1, 'x', 'x', 'x')
"""


def test_an_empty_date_is_published_but_is_no_good_one(filled: Warehouse, tenant: Tenant) -> None:
    with transaction(filled) as conn:
        for day in (19, 20):
            conn.execute(STATE, [tenant.id, OTHER_FACT, date(2026, 5, day), "published", 1, 20 - day, None, NOW])
    model = next(model for model in read_status(filled, now=NOW).models if model.model == OTHER_FACT)
    assert (model.last_good_date, model.published_to) == (date(2026, 5, 19), date(2026, 5, 20))


def test_a_tenant_silent_for_three_days_makes_its_model_stale(filled: Warehouse, tenant: Tenant) -> None:
    def fresh(tenant: str | None = None) -> tuple[bool | None, list[tuple[str, date, bool]]]:
        status = read_status(filled, now=NOW, tenant=tenant)
        model = next(model for model in status.models if model.model == FACT)
        return model.fresh, [(feed.tenant, feed.newest_date, feed.is_stale) for feed in status.feeds]

    assert fresh() == (None, [])
    with transaction(filled) as conn:
        conn.execute(RULE, [FACT])
        conn.execute(RULE, [OTHER_FACT])  # of which no tenant ever had a row
        for day in (18, 19, 20):
            owner = conn.execute("select id from core.tenants where slug = 'other'").fetchone()
            assert owner is not None
            conn.execute(STATE, [owner[0], FACT, date(2026, 5, day), "published", 1, 0, None, NOW])
    # The 19th of default failed its checks but had come; the 17th is the newest of other with rows.
    feeds = [("default", date(2026, 5, 19), False), ("other", date(2026, 5, 17), True)]
    assert fresh() == (False, feeds)
    assert fresh("default") == (True, feeds[:1])


def test_rejected_rows_stand_at_the_model_that_reads_their_type(filled: Warehouse, tenant: Tenant) -> None:
    with transaction(filled) as conn, psycopg.ClientCursor(conn) as cursor:
        for kind, load in (("work_order", 1), ("line", 2)):
            cursor.execute(REJECTED, {"tenant": tenant.id, "load": UUID(int=load), "kind": kind})
    models = {model.model: model.rejected for model in read_status(filled, now=NOW).models if model.rejected}
    assert models == {"staging.stg_work_order": 1, "bi.dim_line": 1}


def test_each_model_says_when_it_is_made_next(filled: Warehouse) -> None:
    models = {model.model: model.next_run for model in read_status(filled, now=NOW).models}
    assert models[FACT] == models["bi.mv_oee_daily"] == datetime(2026, 5, 20, 12, 5, tzinfo=UTC)
    assert models["bi.dim_line"] == datetime(2026, 5, 20, 16, 30, tzinfo=UTC)  # 01:30 in Seoul


def test_the_next_refresh_is_the_daily_one_where_that_comes_before_the_hourly() -> None:
    half_past_one = datetime(2026, 5, 20, 16, 30, tzinfo=UTC)
    assert next_refresh(["Asia/Seoul"], half_past_one) == datetime(2026, 5, 20, 17, 0, tzinfo=UTC)
    assert next_refresh([], half_past_one) == datetime(2026, 5, 20, 17, 5, tzinfo=UTC)
    assert next_master_data([], half_past_one) is None


def test_what_is_open_comes_with_its_reason(filled: Warehouse) -> None:
    status = read_status(filled, now=NOW)
    reason = "good_and_defect_make_total: 3 rows"
    assert status.failed == (OpenDate("default", FACT, date(2026, 5, 19), reason, last_good_rows=7),)
    assert status.dirty == (
        OpenDate("other", "bi.mv_oee_daily", None, "a fact was published"),
        OpenDate("default", FACT, date(2026, 5, 20), "landed"),
    )


def test_one_tenant_alone(filled: Warehouse) -> None:
    status = read_status(filled, now=NOW, tenant="other")
    assert next(model for model in status.models if model.model == FACT).rows == 5
    assert status.failed == ()
    assert [zone for zone, _ in status.next_runs] == ["Europe/Berlin"]
    with pytest.raises(TenantNotFoundError):
        read_status(filled, now=NOW, tenant="nobody")


def test_without_tables_it_says_what_to_run(server: Server) -> None:
    server.create_empty("status_empty")
    try:
        with pytest.raises(MigrationError, match="no tables yet"):
            read_status(server.warehouse("status_empty", "status_empty"), now=NOW)
    finally:
        server.drop("status_empty")


def test_the_next_refresh_is_at_two_by_each_plants_clock() -> None:
    assert next_runs(["Europe/Berlin", "Asia/Seoul", "No/Where"], NOW) == (
        ("Asia/Seoul", datetime(2026, 5, 20, 17, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 5, 21, 0, tzinfo=UTC)),
    )
    assert next_runs(["Asia/Seoul"], datetime(2026, 5, 20, 17, tzinfo=UTC)) == (
        ("Asia/Seoul", datetime(2026, 5, 21, 17, tzinfo=UTC)),
    )


def run(settings: Settings, *arguments: str) -> str:
    env = {
        **os.environ,
        "TAKT_HOME": str(settings.home),
        "TAKT_DATABASE_URL": str(settings.database_url),
        "TAKT_API_DATABASE_URL": str(settings.api_database_url),
    }
    command = [sys.executable, "-m", "platform_cli.main", "status", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, env=env).stdout


def test_the_command_prints_a_table_or_json(filled: Warehouse, settings: Settings) -> None:
    text = run(settings)
    assert f"  {FACT} 2026-05-19 default: good_and_defect_make_total: 3 rows" in text
    assert "2026-05-18" in text
    document = json.loads(run(settings, "--json", "--tenant", "default"))
    fact = next(model for model in document["models"] if model["model"] == FACT)
    assert (fact["rows"], fact["last_good_date"], fact["failed"]) == (17, "2026-05-18", 1)
    assert document["next_runs"][0]["zone"] == "Asia/Seoul"


def test_the_command_warns_of_a_stale_model(filled: Warehouse, settings: Settings) -> None:
    with transaction(filled) as conn:
        conn.execute(RULE, [FACT])
        conn.execute("update core.partition_state set date = date - 730 where rows > 0")
    text = run(settings)
    [row] = [line for line in text.splitlines() if line.startswith(FACT)]
    assert "STALE" in row
    assert f"Stale: {FACT} of other has no rows after 2024-05-17" in text
    assert [feed["is_stale"] for feed in json.loads(run(settings, "--json"))["feeds"]] == [True, True]


def test_the_command_imports_nothing_heavy() -> None:
    """It is to answer within a second: no Dagster, no great-expectations, no SQL parser."""
    code = (
        "import sys, platform_cli.commands.status, platform_core.status.service, platform_core.warehouse.connection\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    loaded = set(
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    )
    assert not loaded & {"dagster", "great_expectations", "pandas", "sqlglot", "sqlalchemy", "alembic"}


RESULT = """
insert into bi.data_quality_checks (
    tenant_id, model, check_name, date, severity, status, failed_row_count, sample_failed_rows, run_id, metadata,
    executed_at
)
values (%s, %s, 'ideal_cycle_is_known', %s, 'warning', %s, 1, %s, %s, %s, %s)
"""


def _result(
    warehouse: Warehouse, tenant: Tenant, run_id: str, day: int | None, *, first: int, last: int, hour: int
) -> None:
    """What a run of a check over some days of May stores: a warning of one day, or that nothing was broken."""
    looked_at = {"first_date": f"2026-05-{first}", "last_date": f"2026-05-{last}"}
    sample = [{"line_code": "L01", "product_code": "P9", "total_qty": 5}] if day else []
    values = [
        tenant.id,
        FACT,
        date(2026, 5, day) if day else None,
        "warning" if day else "pass",
        json.dumps(sample),
        run_id,
        json.dumps(looked_at),
        datetime(2026, 5, 20, hour, tzinfo=UTC),
    ]
    with transaction(warehouse) as conn:
        conn.execute(RESULT, values)


def test_a_warning_stands_with_what_it_is_about_until_the_check_passes_on_its_date(
    filled: Warehouse, tenant: Tenant, other_tenant: Tenant, settings: Settings
) -> None:
    for day in (17, 18):
        _result(filled, tenant, "first", day, first=17, last=18, hour=7)
    _result(filled, other_tenant, "first", 18, first=17, last=18, hour=7)
    (other, own) = sorted(read_status(filled, now=NOW).warnings, key=lambda each: each.dates)
    assert (own.tenant, own.name) == ("default", "ideal_cycle_is_known")
    assert (own.dates, own.newest_date) == (2, date(2026, 5, 18))
    assert (other.tenant, other.dates) == ("other", 1)
    _result(filled, tenant, "second", None, first=18, last=20, hour=8)
    (own,) = read_status(filled, now=NOW, tenant="default").warnings
    assert (own.dates, own.newest_date) == (1, date(2026, 5, 17))
    _result(filled, tenant, "third", None, first=1, last=20, hour=9)
    assert read_status(filled, now=NOW, tenant="default").warnings == ()


def test_a_warning_names_the_line_and_product_that_it_is_about(
    warehouse: Warehouse, tenant: Tenant, settings: Settings
) -> None:
    yesterday = utc_now().date() - timedelta(days=1)
    sample = json.dumps([{"line_code": "L01", "product_code": "P9"}, {"line_code": "L02", "product_code": "P9"}])
    values = [tenant.id, FACT, yesterday, "warning", sample, "a run", "{}", utc_now()]
    with transaction(warehouse) as conn:
        conn.execute(RESULT, values)
    assert f"{FACT} default: ideal_cycle_is_known on {yesterday} (L01 P9, L02 P9)" in run(settings)
