"""A tenant that moves to another zone: its records are dated anew with the setting, or nothing changes at all."""

from datetime import timedelta
from typing import Any

import pytest

from platform_core.ingest.rezone import Rezoned, change_timezone
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.tenants.errors import TenantInvalidError, TenantNotFoundError
from platform_core.tenants.service import get_tenant
from platform_core.warehouse.connection import Warehouse, transaction
from platform_core.warehouse.maintenance import ensure_partitions
from tests.ingest.landing_help import (
    NOW,
    clear_dirty,
    counts,
    current,
    dirty,
    load,
    load_shifts,
    project,
    rows,
    work_order,
)
from tests.ingest.test_master import line, master

NIGHT: dict[str, Any] = {
    "start_time": "2026-03-09T01:00:00+09:00",
    "end_time": "2026-03-09T07:00:00+09:00",
    "shift": None,
}


def rezone(warehouse: Warehouse, settings: Settings, slug: str, zone: str) -> Rezoned | None:
    return change_timezone(warehouse, settings, project(), slug, zone, now=NOW + timedelta(hours=1))


def test_a_night_record_moves_to_the_date_that_the_new_zone_gives_it(
    warehouse: Warehouse, settings: Settings, tenant: Tenant, other_tenant: Tenant
) -> None:
    load_shifts(warehouse, settings, tenant)
    master(warehouse, settings, tenant, "line", line("L02", timezone="Asia/Seoul"))
    sent = [work_order("A", **NIGHT), work_order("B", number=2, line_code="L02", **NIGHT), work_order("C", number=3)]
    load(warehouse, settings, tenant, sent)
    load(warehouse, settings, other_tenant, [work_order("D", line_code="L01")])
    clear_dirty(warehouse)

    done = rezone(warehouse, settings, "default", "Europe/Berlin")
    # 01:00 in Seoul is 17:00 of the day before in Berlin. L02 names its zone; C names its shift, which stays nearest.
    assert {pk: day for pk, (day, _) in current(warehouse).items()} == {
        "A": "2026-03-08",
        "B": "2026-03-09",
        "C": "2026-03-09",
        "D": "2026-03-09",
    }
    assert done is not None
    assert (done.before, done.after, done.records) == ("Asia/Seoul", "Europe/Berlin", 1)
    assert [str(day) for day in done.dates] == ["2026-03-08", "2026-03-09"]
    assert dirty(warehouse) == ["2026-03-08", "2026-03-09"]
    assert dirty(warehouse, "bi.dim_line") == ["1970-01-01"]
    stored = "select business_date::text, is_current from core.erp_mes_data where source_pk = 'A' order by 1"
    assert rows(warehouse, stored) == [("2026-03-08", True), ("2026-03-09", False)]
    later = NOW + timedelta(hours=2)
    assert load(warehouse, settings, tenant, sent, now=later).outcomes == counts(unchanged=3)


def test_published_events_are_made_anew_even_where_no_record_moves(
    warehouse: Warehouse, settings: Settings, tenant: Tenant
) -> None:
    with transaction(warehouse) as conn:
        ensure_partitions(conn, "staging.stg_equipment_event", NOW.date(), NOW.date())
        conn.execute(
            "insert into staging.stg_equipment_event (tenant_id, date, source_system, source_pk, event_time)"
            " values (%s, '2026-03-10', 'MES', 'e', '2026-03-10T00:00:00Z')",
            [tenant.id],
        )
    done = rezone(warehouse, settings, "default", "Europe/Berlin")
    assert done is not None
    assert done.records == 0
    assert dirty(warehouse, "staging.stg_equipment_event") == ["2026-03-10"]


def test_the_same_zone_changes_nothing(warehouse: Warehouse, settings: Settings, tenant: Tenant) -> None:
    load(warehouse, settings, tenant, [work_order("A", **NIGHT)])
    clear_dirty(warehouse)
    assert rezone(warehouse, settings, "default", "Asia/Seoul") is None
    assert rows(warehouse, "select count(*)::int from core.dirty_partition") == [(0,)]


@pytest.mark.parametrize(
    ("slug", "zone", "error"),
    [("nobody", "Europe/Berlin", TenantNotFoundError), ("default", "Mars/Olympus", TenantInvalidError)],
)
def test_what_cannot_be_changed_is_refused_and_nothing_is_stored(
    warehouse: Warehouse, settings: Settings, tenant: Tenant, slug: str, zone: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        rezone(warehouse, settings, slug, zone)
    with transaction(warehouse) as conn:
        assert get_tenant(conn, "default") == tenant
