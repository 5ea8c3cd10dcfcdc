"""Which model answers and why, what speaks against an answer, and how a cell leads down to its records."""

from datetime import date, timedelta

import pytest

from platform_core.bi.errors import NotTrustedError, RequestInvalidError
from platform_core.warehouse.connection import transaction
from tests.bi.plant import DEFECT, ORDER, PRODUCTION, STOCK, UNDATED, BiPlant, made

FIRST, LAST = date(2026, 1, 1), date(2026, 5, 31)
MAY = (date(2026, 5, 1), LAST)
OEE_MART, LINE_MART = "bi.mv_oee_daily", "bi.mv_line_performance"


@pytest.fixture
def busy(plant: BiPlant) -> BiPlant:
    """Every day from January to May, four rows a day, so that the marts are smaller than the fact."""
    days = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    keys = [(product, shift) for product in ("P1", "P2") for shift in ("day", "night")]
    plant.put(PRODUCTION, [made(day, "L1", product, shift) for day in days for product, shift in keys])
    plant.publish(FIRST, LAST)
    return plant


def chosen(plant: BiPlant, *metrics: str, **asked: object) -> tuple[str, dict[str, str]]:
    """The model that answers, and why the others do not."""
    choice = plant.ask(*metrics, **asked).explanation.plan.choices[0]  # type: ignore[arg-type]
    return choice.model, dict(choice.passed_over)


def test_the_model_with_the_fewest_rows_answers(busy: BiPlant) -> None:
    assert chosen(busy, "oee", time=MAY, dimensions=["line"])[0] == LINE_MART
    assert chosen(busy, "oee", time=MAY, dimensions=["shift"])[0] == OEE_MART
    model, others = chosen(busy, "oee", time=MAY, dimensions=["product"])
    assert model == PRODUCTION
    assert others[OEE_MART] == "has no product"
    assert others["bi.mv_defect_trend"].startswith("cannot give")


def test_a_measure_that_looks_at_rows_is_read_from_the_fact(busy: BiPlant) -> None:
    model, others = chosen(busy, "scrap_ratio", time=MAY)
    assert (model, others[LINE_MART]) == (PRODUCTION, "cannot give scrap_qty, scrap_base_qty")


def test_a_range_older_than_the_window_falls_back_to_the_fact_and_says_so(busy: BiPlant) -> None:
    edge = LAST - timedelta(days=89)
    assert chosen(busy, "oee", time=(edge, LAST))[0] == LINE_MART
    model, others = chosen(busy, "oee", time=(edge - timedelta(days=1), LAST))
    assert (model, others[LINE_MART]) == (PRODUCTION, f"holds 90 days, from {edge}")


def test_a_dirty_mart_is_passed_over(busy: BiPlant) -> None:
    busy.mark("dirty", LINE_MART, UNDATED, "bi.fact_daily_production was published")
    model, others = chosen(busy, "oee", time=MAY)
    assert model == OEE_MART
    assert others[LINE_MART] == "is dirty: bi.fact_daily_production was published"


def test_a_mart_that_was_never_made_is_passed_over(busy: BiPlant) -> None:
    with transaction(busy.warehouse) as conn:
        conn.execute("delete from core.partition_state where model = %s", [LINE_MART])
    assert chosen(busy, "oee", time=MAY)[1][LINE_MART] == "has never been made"


@pytest.mark.parametrize(("kind", "said"), [("dirty", "is dirty on 2026-05-07"), ("failed", "failed on 2026-05-07")])
def test_a_date_that_is_not_clean_makes_the_fact_answer_with_a_doubt(busy: BiPlant, kind: str, said: str) -> None:
    busy.mark(kind, PRODUCTION, date(2026, 5, 7), "why")
    model, others = chosen(busy, "oee", time=MAY)
    assert (model, others[LINE_MART]) == (PRODUCTION, said)
    doubts = busy.ask("oee", time=MAY).trust.doubts
    assert [(each.kind, each.model, each.dates, each.reason) for each in doubts] == [
        (kind, PRODUCTION, (date(2026, 5, 7),), "why")
    ]
    assert busy.ask("oee", time=(date(2026, 5, 8), LAST)).trust.is_trusted


def test_a_demand_for_trust_is_refused_with_the_reasons(busy: BiPlant) -> None:
    assert busy.value("total_qty", time=MAY, require_trusted=True) == 31 * 400
    busy.mark("dirty", PRODUCTION, date(2026, 5, 7), "a late record")
    with pytest.raises(NotTrustedError, match=r"dirty on 2026-05-07 \(a late record\)"):
        busy.ask("total_qty", time=MAY, require_trusted=True)


def test_dates_that_were_never_made_are_missing_up_to_today(busy: BiPlant) -> None:
    doubts = busy.ask("total_qty", time=(date(2026, 5, 30), date(2026, 6, 30))).trust.doubts
    assert [(each.kind, each.dates) for each in doubts] == [("missing", (date(2026, 6, 1), date(2026, 6, 2)))]


def test_a_compared_range_is_doubted_too(busy: BiPlant) -> None:
    busy.mark("dirty", PRODUCTION, date(2026, 4, 7), "a late record")
    assert busy.ask("total_qty", time=MAY).trust.is_trusted
    assert not busy.ask("total_qty", time=MAY, compare="previous_period").trust.is_trusted


def _check(plant: BiPlant, run: str, day: date | None, status: str, checked: tuple[date, date], minute: int) -> None:
    with transaction(plant.warehouse) as conn:
        conn.execute(
            "insert into bi.data_quality_rules (table_name, name, rule_type, rule_config, severity) "
            "values (%s, 'ok', 'custom_sql', '{}', 'warning') on conflict do nothing",
            [PRODUCTION],
        )
        conn.execute(
            "insert into bi.data_quality_checks (tenant_id, model, check_name, date, severity, status, "
            "failed_row_count, run_id, executed_at, metadata) values (%s, %s, 'ok', %s, 'warning', %s, 3, %s, "
            "timestamptz '2026-06-01' + make_interval(mins => %s), "
            "jsonb_build_object('first_date', %s::date, 'last_date', %s::date))",
            [plant.tenant.id, PRODUCTION, day, status, run, minute, *checked],
        )


def test_a_failed_check_is_a_doubt_until_a_later_run_finds_the_date_sound(busy: BiPlant) -> None:
    _check(busy, "one", date(2026, 5, 7), "warning", MAY, 1)
    _check(busy, "one", date(2026, 5, 8), "warning", MAY, 2)
    doubts = busy.ask("total_qty", time=MAY).trust.doubts
    assert [(each.kind, each.dates, each.reason) for each in doubts] == [
        ("check", (date(2026, 5, 7), date(2026, 5, 8)), "ok (warning): 6 rows")
    ]
    _check(busy, "two", None, "pass", (date(2026, 5, 8), LAST), 3)
    assert [each.dates for each in busy.ask("total_qty", time=MAY).trust.doubts] == [(date(2026, 5, 7),)]


def test_the_version_changes_when_a_date_in_range_is_published_anew(busy: BiPlant) -> None:
    before = busy.ask("scrap_qty", time=MAY).trust.versions
    older = busy.ask("scrap_qty", time=(FIRST, date(2026, 4, 30))).trust.versions
    with transaction(busy.warehouse) as conn:
        conn.execute(
            "update core.partition_state set version = version + 1 where model = %s and date = '2026-05-07'",
            [PRODUCTION],
        )
    assert busy.ask("scrap_qty", time=MAY).trust.versions != before
    assert busy.ask("scrap_qty", time=(FIRST, date(2026, 4, 30))).trust.versions == older


def test_orders_have_no_missing_days(plant: BiPlant) -> None:
    plant.put(ORDER, [{"date": LAST, "product_code": "P1", "customer_code": "C", "order_count": 1, "ordered_qty": 1}])
    plant.publish(LAST, LAST)
    assert plant.ask("ordered_qty", time=MAY).trust.is_trusted


# From a cell to its rows ----------------------------------------------------------------------------------------------


def test_a_cell_leads_to_its_fact_rows(busy: BiPlant) -> None:
    found = busy.drill("oee", {"time": "2026-05-18", "shift": "night"}, grain="week", dimensions=["shift"], time=MAY)
    assert [fact.model for fact in found] == [PRODUCTION]
    assert found[0].total == 14
    assert {row.key["shift"] for row in found[0].rows} == {"night"}
    assert found[0].rows[0].key["date"] == date(2026, 5, 18)
    assert found[0].rows[0].values["runtime_minutes"] == 60


def test_the_rows_of_a_cell_add_up_to_it(busy: BiPlant) -> None:
    cell = {"line": "L1", "time": "2026-05-01"}
    value = busy.ask("total_qty", time=MAY, grain="month", dimensions=["line"]).rows[0][2]
    found = busy.drill("total_qty", cell, time=MAY, grain="month", dimensions=["line"], limit=1000)[0]
    assert sum(row.values["total_qty"] for row in found.rows) == value


def test_a_cell_of_two_facts_leads_to_both(busy: BiPlant) -> None:
    assert {fact.model for fact in busy.drill("mtbf", {}, time=MAY)} == {PRODUCTION, "bi.fact_equipment_event"}


def test_a_cell_of_stock_leads_to_the_last_snapshot(plant: BiPlant) -> None:
    for day in (date(2026, 5, 18), date(2026, 5, 20)):
        plant.put(STOCK, [{"date": day, "product_code": "P1", "location": "W1", "stock_qty": 5}])
    plant.publish(*MAY)
    found = plant.drill("stock_qty", {"time": "2026-05-01"}, time=MAY, grain="month")[0]
    assert [row.key["date"] for row in found.rows] == [date(2026, 5, 20)]


def test_an_unknown_plant_is_a_cell_too(plant: BiPlant) -> None:
    plant.put(PRODUCTION, [made(LAST, "L1", "P1", "day"), made(LAST, "L9", "P1", "day")])
    plant.publish(*MAY)
    found = plant.drill("oee", {"plant": None}, time=MAY, dimensions=["plant"])[0]
    assert [row.key["line_code"] for row in found.rows] == ["L9"]


def test_a_limited_session_drills_into_its_lines_only(plant: BiPlant) -> None:
    plant.put(PRODUCTION, [made(LAST, "L1", "P1", "day"), made(LAST, "L2", "P1", "day")])
    plant.publish(*MAY)
    found = plant.drill("oee", {}, time=MAY, lines=["L2"])[0]
    assert [row.key["line_code"] for row in found.rows] == ["L2"]
    assert plant.drill("oee", {}, time=MAY, tenant=plant.other)[0].total == 0


def test_each_fact_row_is_traced(plant: BiPlant) -> None:
    plant.put(PRODUCTION, [made(LAST, "L1", "P1", "day")])
    shared = {"date": LAST, "line_code": "L1", "product_code": "P1", "shift": "day"}
    plant.put(DEFECT, [{**shared, "defect_type": "a", "defect_qty": 1}])
    plant.publish(*MAY)
    row = plant.drill("typed_defect_qty", {"defect_type": "a"}, time=MAY, dimensions=["defect_type"], records=True)[0]
    traced = row.rows[0].trace
    assert traced is not None
    assert traced.rows[0].key["defect_type"] == "a"
    assert [branch.relation for branch in traced.rows[0].branches] == ["staging.stg_work_order"]


@pytest.mark.parametrize("cell", [{"product": "P1"}, {"time": "soon"}, {"time": "2024-01-01"}])
def test_a_cell_that_is_not_of_the_answer_is_refused(busy: BiPlant, cell: dict[str, str]) -> None:
    with pytest.raises(RequestInvalidError):
        busy.drill("oee", cell, time=MAY, grain="day")
