"""Answers as a whole: who sees what, what cannot be slipped in, and how rows are shaped."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal as D
from secrets import token_hex
from typing import Any

import pytest

from dbt_like_sql.semantics.errors import MetricDefinitionError
from dbt_like_sql.semantics.loading import packaged_semantics, read_semantics
from platform_core.bi.asking import build, comparison_of, filter_of, relative_of
from platform_core.bi.contracts import Request
from platform_core.bi.errors import BiError, DimensionNotSharedError, MetricNotFoundError, QueryTimeoutError
from platform_core.bi.service import Asker, answer
from tests.bi.plant import DEFECT, EVENT, HOURLY, NOW, PRODUCTION, STOCK, BiPlant, made, make_plant
from tests.conftest import Server

MAY = (date(2026, 5, 1), date(2026, 5, 31))
QUOTE = "L'1\" -- %s %(p0)s"


@pytest.fixture(scope="module")
def filled(server: Server) -> Iterator[BiPlant]:
    name = f"bi_{token_hex(6)}"
    server.clone(name)
    try:
        plant = make_plant(server.warehouse(name, name))
        rows = [
            made(date(2026, 1, 28) + timedelta(days=n), "L1", "P1", "day", total_qty=1, good_qty=1, defect_qty=0)
            for n in range(32)  # to the 28th of February
        ]
        rows += [
            made(date(2026, 5, 18), "L1", "P1", "day", total_qty=10),
            made(date(2026, 5, 18), "L2", "P2", "day", total_qty=20),
            made(date(2026, 5, 20), "L3", "P1", "night", total_qty=40),
            made(date(2026, 5, 20), QUOTE, "P9", "day", total_qty=80, runtime_minutes=0, downtime_minutes=0),
        ]
        plant.put(PRODUCTION, rows)
        plant.put(PRODUCTION, [made(date(2026, 5, 18), "L1", "P1", "day", total_qty=7000)], plant.other)
        hours = {"date": date(2026, 5, 18), "line_code": "L1", "product_code": "P1"}
        hour = "2026-05-18T0{}:00:00+00:00"
        quantities = {"good_qty": 0, "defect_qty": 0}
        plant.put(HOURLY, [{**hours, "hour_timestamp": hour.format(n), "total_qty": n, **quantities} for n in (3, 7)])
        plant.put(
            EVENT,
            [
                {"date": date(2026, 5, 19), "line_code": "L1", "equipment_code": "M1", "event_type": "breakdown",
                 "event_count": 2, "open_event_count": 0, "total_duration_minutes": 30, "severity_distribution": "{}"}
            ],
        )  # fmt: skip
        for day, location, stock in ((18, "W1", 5), (18, "W2", 6), (20, "W1", 7)):
            row = {"date": date(2026, 5, day), "product_code": "P1", "location": location, "stock_qty": stock}
            plant.put(STOCK, [row])
        plant.publish(date(2026, 1, 1), date(2026, 5, 31))
        yield plant
    finally:
        server.drop(name)


def rows(found: Any) -> list[tuple[Any, ...]]:
    """Rows with numbers as floats."""
    return [tuple(float(cell) if isinstance(cell, D) else cell for cell in row) for row in found.rows]


def test_a_tenant_sees_its_own_rows_only(filled: BiPlant) -> None:
    assert filled.value("total_qty", time=MAY) == 150
    assert filled.value("total_qty", time=MAY, tenant=filled.other) == 7000


def test_a_limited_session_sees_its_lines_only_whatever_it_filters(filled: BiPlant) -> None:
    assert rows(filled.ask("total_qty", time=MAY, dimensions=["line"], lines=["L1", "L3"])) == [("L1", 10), ("L3", 40)]
    everything = [{"field": "line", "operator": "not_in", "values": ["L9"]}]
    assert filled.value("total_qty", time=MAY, lines=["L1"], filters=everything) == 10
    assert filled.value("total_qty", time=MAY, lines=[]) is None


@pytest.mark.parametrize("operator", ["eq", "in", "lte", "gte"])
def test_a_hostile_value_is_a_value(filled: BiPlant, operator: str) -> None:
    asked = [{"field": "line", "operator": operator, "values": [QUOTE]}]
    assert (QUOTE, 80) in rows(filled.ask("total_qty", time=MAY, dimensions=["line"], filters=asked))
    gone = [{"field": "line", "operator": operator, "values": ["'; drop table core.tenants; --"]}]
    filled.ask("total_qty", time=MAY, filters=gone)
    assert filled.value("total_qty", time=MAY) == 150


@pytest.mark.parametrize(
    "fields",
    [
        {"metrics": ["total_qty; drop table x"]},
        {"metrics": ["total_qty"], "dimensions": ['line" from bi.dim_line --']},
        {"metrics": ["total_qty"], "dimensions": ["tenant_id"]},
        {"metrics": ["total_qty"], "filters": [{"field": "1=1 or line", "operator": "eq", "values": ["x"]}]},
        {"metrics": ["total_qty"], "filters": [{"field": "line", "operator": "= '' or ''=", "values": ["x"]}]},
        {"metrics": ["total_qty"], "filters": [{"field": "line", "operator": "eq", "values": ["a\x00b"]}]},
        {"metrics": ["total_qty"], "filters": [{"field": "line", "operator": "eq", "values": ["\ud800"]}]},
        {"metrics": ["total_qty"], "filters": [{"field": "line", "operator": "eq", "values": []}]},
        {"metrics": ["total_qty"], "filters": [{"field": "line", "operator": "between", "values": ["a"]}]},
        {"metrics": ["total_qty"], "filters": [{"field": "total_qty", "operator": "gt", "values": ["1 or 1=1"]}]},
        {"metrics": ["total_qty"], "filters": [{"field": "total_qty", "operator": "gt", "values": [D("1e999")]}]},
        {"metrics": ["total_qty"], "filters": [{"field": "oee", "operator": "gt", "values": [1]}]},
        {"metrics": ["total_qty"], "order": ["total_qty; --"]},
        {"metrics": ["total_qty"], "grain": "day'"},
        {"metrics": ["total_qty"], "limit": 0},
        {"metrics": ["total_qty"], "unknown": 1},
        {"metrics": ["total_qty", "total_qty"]},
        {"metrics": []},
        {"metrics": ["total_qty"], "time": {"first": "2026-05-02", "last": "2026-05-01"}},
        {"metrics": ["total_qty"], "time": {"first": "0001-01-01", "last": "9999-12-31"}},
        {"metrics": ["total_qty"], "time": {"first": "2026-05-02"}},
        {"metrics": ["total_qty"], "fill": True},
        {"metrics": ["total_qty_mtd"]},
        {"metrics": ["total_qty_mtd"], "grain": "week"},
        {"metrics": ["total_qty_mtd"], "grain": "year"},
        {"metrics": ["oee_change"], "compare": "previous_period"},
        {"metrics": ["stock_qty"], "grain": "hour"},
        {"metrics": ["total_qty"], "dimensions": ["shift"], "grain": "hour"},
    ],
)  # fmt: skip
def test_what_is_not_in_the_model_is_refused_before_any_sql(filled: BiPlant, fields: dict[str, Any]) -> None:
    with pytest.raises(BiError) as caught:
        answer(filled.warehouse, filled.model, build(fields), asker=Asker(filled.tenant), now=NOW)
    assert caught.value.http_status in (400, 404)


def test_a_name_is_met_with_the_nearest(filled: BiPlant) -> None:
    with pytest.raises(MetricNotFoundError, match=r"Did you mean .*oee"):
        filled.ask("oeee")


def test_a_dimension_that_the_fact_lacks_names_fact_and_dimension(filled: BiPlant) -> None:
    with pytest.raises(DimensionNotSharedError, match=r"mtbf cannot be asked by shift: bi.fact_equipment_event has no"):
        filled.ask("mtbf", dimensions=["shift"])


def test_facts_are_joined_on_what_they_share_and_neither_loses_rows(filled: BiPlant) -> None:
    found = filled.ask("total_qty", "breakdown_count", time=MAY, dimensions=["line"], grain="day", totals=True)
    assert rows(found)[:3] == [
        (date(2026, 5, 18), "L1", 10, None),
        (date(2026, 5, 18), "L2", 20, None),
        (date(2026, 5, 19), "L1", None, 2),
    ]
    assert found.totals == (None, None, 150, 2)


def test_null_meets_null_when_facts_are_joined(filled: BiPlant) -> None:
    found = filled.ask("total_qty", "breakdown_count", time=MAY, dimensions=["plant"])
    assert rows(found) == [("A", 30, 2), ("B", 40, None), (None, 80, None)]


def test_a_ratio_of_a_week_is_the_ratio_of_its_sums(filled: BiPlant) -> None:
    # Good pieces are 90 of each row; the mean of the rows' own ratios would be another number.
    assert rows(filled.ask("yield", time=MAY, grain="week")) == [(date(2026, 5, 18), pytest.approx(360 / 150))]


def test_a_zero_denominator_is_null(filled: BiPlant) -> None:
    asked = [{"field": "line", "operator": "eq", "values": [QUOTE]}]
    assert filled.ask("availability", "oee", "mtbf", time=MAY, filters=asked).rows == ((None, None, None),)


def test_days_that_the_present_month_lacks_count_by_month_and_not_by_day(filled: BiPlant) -> None:
    february = (date(2026, 2, 1), date(2026, 2, 28))
    by_day = rows(filled.ask("total_qty", time=february, grain="day", compare="previous_period"))
    assert by_day[-1] == (date(2026, 2, 28), 1, 1, 0, 0)  # and not the 29th, 30th and 31st of January too
    assert by_day[0][:3] == (date(2026, 2, 1), 1, None)
    by_month = rows(filled.ask("total_qty", time=february, grain="month", compare="previous_period"))
    assert by_month == [(date(2026, 2, 1), 28, 4, 24, 6)]


def test_gaps_are_filled_only_when_asked(filled: BiPlant) -> None:
    span = (date(2026, 5, 18), date(2026, 5, 20))
    assert rows(filled.ask("total_qty", time=span, grain="day", fill=True)) == [
        (date(2026, 5, 18), 30), (date(2026, 5, 19), None), (date(2026, 5, 20), 120)
    ]  # fmt: skip
    assert len(filled.ask("total_qty", time=span, grain="day").rows) == 2
    lined = rows(filled.ask("total_qty", time=span, grain="day", dimensions=["line"], fill=True, order=["line"]))
    assert len(lined) == 12
    assert lined[0] == (date(2026, 5, 18), QUOTE, None)


def test_what_runs_stands_still_where_nothing_happened_and_starts_with_its_period(filled: BiPlant) -> None:
    span = (date(2026, 2, 26), date(2026, 3, 2))
    found = rows(filled.ask("total_qty_mtd", "total_qty", time=span, grain="day"))
    assert [row[1:] for row in found] == [(26, 1), (27, 1), (28, 1), (None, None), (None, None)]


def test_stock_is_that_of_the_last_snapshot_and_parts_make_the_whole(filled: BiPlant) -> None:
    assert rows(filled.ask("stock_qty", time=MAY, dimensions=["location"], totals=True)) == [("W1", 7), ("W2", None)]
    assert filled.value("stock_qty", time=MAY) == 7
    by_day = filled.ask("stock_qty", time=MAY, grain="day", totals=True)
    assert rows(by_day) == [(date(2026, 5, 18), 11), (date(2026, 5, 20), 7)]
    assert by_day.totals == (None, 7)


def test_order_limit_and_a_filter_on_the_result(filled: BiPlant) -> None:
    found = filled.ask("total_qty", time=MAY, dimensions=["line"], order=["-total_qty"], limit=2, totals=True)
    assert rows(found) == [(QUOTE, 80), ("L3", 40)]
    assert (found.total_rows, found.totals, found.note) == (4, (None, 150), None)
    many = [{"field": "total_qty", "operator": "between", "values": [15, 50]}]
    assert rows(filled.ask("total_qty", time=MAY, dimensions=["line"], filters=many)) == [("L2", 20), ("L3", 40)]


def test_more_rows_than_the_cap_are_told(filled: BiPlant) -> None:
    request = Request.model_validate(
        {"metrics": ["total_qty"], "dimensions": ["line"], "time": {"first": MAY[0], "last": MAY[1]}}
    )
    found = answer(filled.warehouse, filled.model, request, asker=Asker(filled.tenant), now=NOW, cap=3)
    assert len(found.rows) == 3
    assert found.note is not None
    assert found.note.startswith("3 of 4 rows")


def test_hours_and_shifts_are_grains(filled: BiPlant) -> None:
    day = (date(2026, 5, 18), date(2026, 5, 18))
    assert [row[1] for row in rows(filled.ask("total_qty", time=day, grain="hour"))] == [3, 7]
    assert rows(filled.ask("total_qty", time=MAY, grain="shift"))[-1] == (date(2026, 5, 20), "night", 40)


def test_a_relative_range_ends_with_the_newest_published_rows(filled: BiPlant) -> None:
    dates = filled.ask("total_qty", time="last_7_days").explanation.plan.dates
    assert (dates.first, dates.last) == (date(2026, 5, 14), date(2026, 5, 20))
    today = filled.ask("total_qty", time="today").explanation.plan.dates
    assert today.last == date(2026, 6, 2)  # noon in Seoul


def test_a_statement_that_takes_too_long_is_ended(filled: BiPlant) -> None:
    request = Request.model_validate({"metrics": ["oee"], "grain": "day"})
    with pytest.raises(QueryTimeoutError):
        answer(filled.warehouse, filled.model, request, asker=Asker(filled.tenant), now=NOW, timeout_seconds=0.001)


def test_a_defect_pareto_and_its_cost(filled: BiPlant) -> None:
    shared = {"date": MAY[0], "line_code": "L1", "product_code": "P1", "shift": "day"}
    filled.put(DEFECT, [{**shared, "defect_type": kind, "defect_qty": n} for kind, n in (("a", 1), ("b", 5))])
    assert rows(filled.ask("typed_defect_qty", time=MAY, dimensions=["defect_type"], order=["-typed_defect_qty"])) == [
        ("b", 5), ("a", 1)
    ]  # fmt: skip


def test_an_own_metric_is_answered_as_the_shipped_ones(filled: BiPlant) -> None:
    label = "label: {ko: 가, en: A}, description: {ko: 나, en: B}, unit: piece, format: number, direction: higher"
    text = f"metrics:\n  - {{name: own, {label}, type: derived, expression: 'least(total_qty, 100) - defect_qty'}}\n"
    own = read_semantics(filled.model.project, {"own.yml": text}, packaged_semantics())
    found = BiPlant(filled.warehouse, filled.tenant, filled.other, own).value("own", time=MAY)
    assert found == 60
    with pytest.raises(MetricDefinitionError):
        read_semantics(filled.model.project, {"own.yml": text.replace("100", "pg_sleep(9)")}, packaged_semantics())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("line=L01", {"field": "line", "operator": "eq", "values": ["L01"]}),
        ("line != L01, L02", {"field": "line", "operator": "not_in", "values": ["L01", "L02"]}),
        ("line=", {"field": "line", "operator": "is_null"}),
        ("line!=", {"field": "line", "operator": "not_null"}),
        ("oee<=0.5", {"field": "oee", "operator": "lte", "values": [D("0.5")]}),
        ("line=a=b", {"field": "line", "operator": "eq", "values": ["a=b"]}),
    ],
)
def test_a_filter_is_read_from_text(text: str, expected: dict[str, Any]) -> None:
    assert filter_of(packaged_semantics(), text) == expected


@pytest.mark.parametrize(
    ("text", "name"),
    [("30d", "last_30_days"), ("last 4 weeks", "last_4_weeks"), ("3m", "last_3_months"), ("mtd", "mtd")],
)
def test_a_range_is_read_from_text(text: str, name: str) -> None:
    assert relative_of(text) == name
    assert comparison_of("week") == "week_before"
