"""A number of a mart followed to the lines of the files, over records really landed and published."""

from datetime import date

import pytest

from platform_core.tenants.contracts import Tenant
from platform_core.trace.contracts import Branch, TracedRow
from platform_core.trace.errors import BadValueError, RowNotFoundError, UnknownColumnError, UnknownModelError
from platform_core.trace.render import lines
from platform_core.trace.service import trace
from platform_core.warehouse.connection import transaction
from platform_core.warehouse.publish import build
from tests.trace.conftest import DAY, NOW, Plant, work_order


def branch(row: TracedRow, relation: str) -> Branch:
    return next(branch for branch in row.branches if branch.relation == relation)


def files(found: Branch) -> list[tuple[str | None, int]]:
    return [(record.versions[0].source_name, record.versions[0].source_row) for record in found.records]


def staging_rows(row: TracedRow) -> tuple[TracedRow, ...]:
    fact = branch(row, "bi.fact_daily_production").rows[0]
    return branch(fact, "staging.stg_work_order").rows


def test_mart_row_leads_to_the_lines_of_the_files(plant: Plant, tenant: Tenant) -> None:
    answer = trace(
        plant.warehouse,
        plant.project,
        "bi.mv_oee_daily",
        tenant=tenant,
        where={"date": str(DAY), "line_code": "L01"},
    )
    (row,) = answer.rows
    assert answer.total == 1
    assert row.key == {"tenant_id": tenant.id, "date": DAY, "line_code": "L01", "shift": "day"}
    assert row.values["total_qty"] == 1500
    facts = branch(row, "bi.fact_daily_production")
    assert (facts.total, [fact.values["total_qty"] for fact in facts.rows]) == (1, [1500])
    orders = staging_rows(row)
    assert [order.values["work_order_id"] for order in orders] == ["WO-1", "WO-2"]
    assert [files(branch(order, "core.erp_mes_data")) for order in orders] == [
        [("ours/monday.csv", 2)],
        [("ours/monday.csv", 3)],
    ]


def test_dimension_is_a_side_branch_down_to_its_file(plant: Plant, tenant: Tenant) -> None:
    answer = trace(plant.warehouse, plant.project, "mv_oee_daily", tenant=tenant, where={"date": str(DAY)})
    line = branch(answer.rows[0], "bi.dim_line")
    assert (line.kind, line.total, line.rows[0].values["name"]) == ("dimension", 1, "Line of ours")
    assert files(branch(line.rows[0], "core.master_record")) == [("ours/lines.csv", 2)]


def test_only_the_cycle_time_in_effect_is_named(plant: Plant, tenant: Tenant) -> None:
    answer = trace(plant.warehouse, plant.project, "bi.fact_daily_production", tenant=tenant, where={"date": str(DAY)})
    cycle = branch(answer.rows[0], "bi.dim_cycle_time")
    assert [row.values["ideal_cycle_sec"] for row in cycle.rows] == [18]
    assert files(branch(cycle.rows[0], "core.master_record")) == [("ours/cycle_times.csv", 3)]


def test_a_correction_shows_what_it_superseded(plant: Plant, tenant: Tenant) -> None:
    plant.land(tenant, "work_order", "ours/fixed.csv", work_order(2, good=590, defect=50), key="work_order_id")
    plant.build(DAY)
    answer = trace(plant.warehouse, plant.project, "bi.mv_oee_daily", tenant=tenant, where={"date": str(DAY)})
    assert answer.rows[0].values["total_qty"] == 1400
    (record,) = branch(staging_rows(answer.rows[0])[1], "core.erp_mes_data").records
    assert [(v.source_name, v.source_row, v.payload["total_qty"], v.is_current) for v in record.versions] == [
        ("ours/fixed.csv", 2, 640, True),
        ("ours/monday.csv", 3, 740, False),
    ]
    assert not record.corrected_since


def test_a_row_not_yet_made_anew_says_that_its_record_was_corrected(plant: Plant, tenant: Tenant) -> None:
    plant.land(tenant, "work_order", "ours/fixed.csv", work_order(2, good=590, defect=50), key="work_order_id")
    answer = trace(plant.warehouse, plant.project, "bi.mv_oee_daily", tenant=tenant, where={"date": str(DAY)})
    (record,) = branch(staging_rows(answer.rows[0])[1], "core.erp_mes_data").records
    assert record.corrected_since
    assert record.versions[0].source_name == "ours/monday.csv"
    assert answer.rows[0].values["total_qty"] == 1500


def test_a_record_that_moved_to_another_date_is_named_with_the_date(plant: Plant, tenant: Tenant) -> None:
    moved = work_order(2, good=690, defect=50, day=date(2025, 6, 3))
    plant.land(tenant, "work_order", "ours/moved.csv", moved, key="work_order_id")
    answer = trace(plant.warehouse, plant.project, "staging.stg_work_order", tenant=tenant, where={"date": str(DAY)})
    (record,) = branch(answer.rows[1], "core.erp_mes_data").records
    assert (record.moved_to, record.corrected_since) == (date(2025, 6, 3), True)
    assert answer.states == () or answer.states[0].dirty_because


def test_nothing_of_another_tenant_shows(plant: Plant, tenant: Tenant, other_tenant: Tenant) -> None:
    for owner, name, total in ((tenant, "ours", 1500), (other_tenant, "theirs", 5)):
        answer = trace(plant.warehouse, plant.project, "bi.mv_oee_daily", tenant=owner, where={"date": str(DAY)})
        assert [row.values["total_qty"] for row in answer.rows] == [total]
        assert _sources(answer.rows[0])
        assert all(source.startswith(name) for source in _sources(answer.rows[0]))
        assert _tenants(answer.rows[0]) == {owner.id}


def _sources(row: TracedRow) -> set[str]:
    here = {v.source_name or "" for b in row.branches for record in b.records for v in record.versions}
    return here.union(*(_sources(inner) for b in row.branches for inner in b.rows))


def _tenants(row: TracedRow) -> set[object]:
    return {row.values["tenant_id"]}.union(*(_tenants(inner) for b in row.branches for inner in b.rows))


def test_one_column_follows_only_what_it_is_made_of(plant: Plant, tenant: Tenant) -> None:
    answer = trace(
        plant.warehouse,
        plant.project,
        "bi.mv_oee_daily",
        tenant=tenant,
        where={"date": str(DAY)},
        columns=["availability"],
    )
    (row,) = answer.rows
    assert [b.relation for b in row.branches] == ["bi.fact_daily_production"]
    fact = branch(row, "bi.fact_daily_production").rows[0]
    assert fact.shown == ("downtime_minutes", "runtime_minutes")
    assert [b.relation for b in fact.branches] == ["staging.stg_work_order"]


def test_long_lists_are_cut_and_say_how_long_they_are(plant: Plant, tenant: Tenant) -> None:
    orders = [work_order(number, good=1) for number in range(10, 60)]
    plant.land(tenant, "work_order", "ours/many.csv", *orders, key="work_order_id")
    plant.build(DAY)
    answer = trace(
        plant.warehouse, plant.project, "bi.fact_daily_production", tenant=tenant, where={"date": str(DAY)}, limit=7
    )
    found = branch(answer.rows[0], "staging.stg_work_order")
    assert (found.total, len(found.rows)) == (52, 7)


def test_every_row_of_every_model_can_be_traced(plant: Plant, tenant: Tenant) -> None:
    defects = [{"type": "scratch", "qty": 6}, {"type": "dent", "qty": 4}]
    plant.land(
        tenant,
        "work_order",
        "ours/tuesday.csv",
        work_order(3, good=90, defect=10, day=date(2025, 6, 3), defect_details=defects),
        key="work_order_id",
    )
    plant.land(
        tenant,
        "order",
        "ours/orders.csv",
        {
            "order_id": "O-1",
            "customer_code": "C1",
            "product_code": "P001",
            "order_qty": 10,
            "delivery_date": str(DAY),
        },
        key="order_id",
    )
    plant.land(
        tenant,
        "inventory",
        "ours/stock.csv",
        {"product_code": "P001", "location": "A", "snapshot_date": str(DAY), "stock_qty": 5, "issue_qty": 1},
        key="product_code location snapshot_date",
    )
    plant.land(
        tenant,
        "equipment",
        "ours/machines.csv",
        {"equipment_code": "M1", "line_code": "L01", "name": "Press"},
        key="equipment_code",
    )
    event = {"equipment_code": "M1", "event_type": "breakdown", "pair_id": "X"}
    plant.land(
        tenant,
        "equipment_event",
        "ours/events.jsonl",
        {**event, "event_id": "E1", "phase": "start", "timestamp": f"{DAY}T10:00:00+09:00"},
        {**event, "event_id": "E2", "phase": "end", "timestamp": f"{DAY}T10:30:00+09:00"},
        key="event_id",
    )
    plant.build(DAY, date(2025, 6, 3))
    expected = {
        "bi.fact_daily_defect": ["ours/tuesday.csv"],
        "bi.fact_hourly_production": ["ours/monday.csv"],
        "bi.fact_order_daily": ["ours/orders.csv"],
        "bi.fact_inventory_snapshot": ["ours/stock.csv"],
        "bi.mv_inventory_coverage": ["ours/stock.csv", "ours/products.csv"],
        "bi.fact_equipment_event": ["ours/events.jsonl", "ours/machines.csv", "ours/lines.csv"],
        "bi.mv_line_performance": ["ours/events.jsonl", "ours/monday.csv", "ours/lines.csv"],
        "bi.mv_defect_trend": ["ours/monday.csv", "ours/lines.csv", "ours/products.csv"],
        "bi.v_fact_daily_production_calc": ["ours/monday.csv", "ours/cycle_times.csv"],
    }
    for relation, sources in expected.items():
        answer = trace(plant.warehouse, plant.project, relation, tenant=tenant, where={})
        assert set(sources) <= _sources(answer.rows[0]), relation


def test_a_breakdown_leads_to_its_start_and_through_the_window_to_its_end(plant: Plant, tenant: Tenant) -> None:
    event = {"equipment_code": "M1", "event_type": "breakdown"}
    plant.land(
        tenant,
        "equipment_event",
        "ours/events.jsonl",
        {**event, "event_id": "E1", "pair_id": "X", "phase": "start", "timestamp": f"{DAY}T10:00:00+09:00"},
        {**event, "event_id": "E2", "pair_id": "X", "phase": "end", "timestamp": f"{DAY}T10:30:00+09:00"},
        {**event, "event_id": "E3", "pair_id": "Y", "phase": "start", "timestamp": f"{DAY}T11:00:00+09:00"},
        {**event, "event_id": "E4", "pair_id": "Y", "phase": "end", "timestamp": f"{DAY}T11:10:00+09:00"},
        key="event_id",
    )
    plant.build(DAY)
    answer = trace(
        plant.warehouse,
        plant.project,
        "stg_equipment_event",
        tenant=tenant,
        where={"source_pk": "E1"},
        columns=["end_time"],
    )
    start, end = (branch for branch in answer.rows[0].branches if branch.kind == "records")
    assert (files(start), start.through_window) == ([("ours/events.jsonl", 2)], False)
    assert (files(end), end.through_window, end.total) == ([("ours/events.jsonl", 3)], True, 1)


def test_a_moving_average_names_the_days_beside_its_own(plant: Plant, tenant: Tenant) -> None:
    days = [date(2025, 5, 20), date(2025, 5, 28)]
    for number, day in enumerate(days, start=20):
        plant.land(
            tenant, "work_order", f"ours/{day}.csv", work_order(number, good=9, defect=1, day=day), key="work_order_id"
        )
    plant.build(*days, DAY)
    answer = trace(
        plant.warehouse,
        plant.project,
        "bi.mv_defect_trend",
        tenant=tenant,
        where={"date": str(DAY)},
        columns=["defect_rate_7d_avg"],
    )
    own, beside = answer.rows[0].branches
    assert [row.key["date"] for row in own.rows] == [DAY]
    assert [row.key["date"] for row in beside.rows] == [date(2025, 5, 28)]
    assert beside.through_window
    assert beside.rows[0].branches == ()


def test_a_sealed_date_names_the_archive(plant: Plant, tenant: Tenant) -> None:
    with transaction(plant.warehouse) as conn:
        conn.execute("delete from staging.stg_work_order")
        conn.execute(
            "insert into core.archived_partition (first_date, last_date, archive_file)"
            " values ('2025-06-01', '2025-06-30', 'archive/2025-06.tar')"
        )
    answer = trace(plant.warehouse, plant.project, "bi.fact_daily_production", tenant=tenant, where={"date": str(DAY)})
    found = branch(answer.rows[0], "staging.stg_work_order")
    assert (found.total, found.archive_file) == (0, "archive/2025-06.tar")
    assert "the date is sealed; its records are in archive/2025-06.tar" in "\n".join(lines(answer))


def test_date_that_waits_or_failed_says_so(plant: Plant, tenant: Tenant) -> None:
    with transaction(plant.warehouse) as conn:
        conn.execute("delete from core.dirty_partition")
        values = {"tenant": tenant.id, "date": DAY}
        conn.execute(
            "insert into core.partition_state (tenant_id, model, date, state, reason)"
            " values (%(tenant)s, 'bi.fact_daily_production', %(date)s, 'failed', 'totals')",
            values,
        )
        conn.execute(
            "insert into core.dirty_partition (tenant_id, model, date, reason)"
            " values (%(tenant)s, 'bi.fact_daily_production', %(date)s, 'corrected')",
            values,
        )
    answer = trace(plant.warehouse, plant.project, "bi.fact_daily_production", tenant=tenant, where={})
    assert [(s.date, s.state, s.reason, s.dirty_because) for s in answer.states] == [
        (DAY, "failed", "totals", "corrected")
    ]
    text = "\n".join(lines(answer))
    assert "failed its last check, the last good version is shown: totals" in text
    assert "waits to be made anew: corrected" in text


def test_traced_over_what_was_published_with_checks(landed: Plant, tenant: Tenant) -> None:
    report = build(landed.warehouse, landed.project, [DAY], now=NOW, run_id="real")
    assert not any(run.failed for run in report.runs)
    answer = trace(landed.warehouse, landed.project, "bi.mv_oee_daily", tenant=tenant, where={"line_code": "L01"})
    assert {"ours/monday.csv", "ours/lines.csv"} <= _sources(answer.rows[0])


@pytest.mark.parametrize(
    ("name", "hint"), [("bi.mv_oee_dayly", "bi.mv_oee_daily"), ("fact_daily_prod", "bi.fact_daily_production")]
)
def test_unknown_model_gets_the_nearest_names(plant: Plant, tenant: Tenant, name: str, hint: str) -> None:
    with pytest.raises(UnknownModelError) as raised:
        trace(plant.warehouse, plant.project, name, tenant=tenant, where={})
    assert hint in str(raised.value)


def test_unknown_column_gets_the_columns_there_are(plant: Plant, tenant: Tenant) -> None:
    with pytest.raises(UnknownColumnError, match=r"no column 'line'.*line_code"):
        trace(plant.warehouse, plant.project, "bi.mv_oee_daily", tenant=tenant, where={"line": "L01"})


def test_missing_row_says_which_dates_there_are(plant: Plant, tenant: Tenant) -> None:
    with pytest.raises(RowNotFoundError, match="2025-06-02 to 2025-06-02"):
        trace(plant.warehouse, plant.project, "bi.mv_oee_daily", tenant=tenant, where={"date": "2024-01-01"})


def test_value_of_the_wrong_type_is_said_so(plant: Plant, tenant: Tenant) -> None:
    with pytest.raises(BadValueError, match="date"):
        trace(plant.warehouse, plant.project, "bi.mv_oee_daily", tenant=tenant, where={"date": "2025-13-01"})
