"""The models' own checks: which rows each one names, with the rows under audit and the published history given."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from dbt_like_sql.compile import name_of, parse_query, relations, swap_relations, to_psycopg
from dbt_like_sql.project import Project

Row = dict[str, Any]
FOREIGN = "bbbbbbbb-0000-4000-8000-000000000000"
TENANT = "aaaaaaaa-0000-4000-8000-000000000000"
DAY = date(2025, 6, 30)
NOW = datetime(2025, 7, 1, 3, tzinfo=UTC)
FACT = "bi.fact_daily_production"
VOLUME = "volume_is_usual_for_the_weekday"
AUDITED = "tenant_id uuid, date date, timezone text"


def broken(
    conn: psycopg.Connection[Any], project: Project, relation: str, check: str, given: Mapping[str, Sequence[Row]]
) -> list[Row]:
    """The rows that break a check; `given` is the content of `candidate` and of the models that the check reads.

    `audited`, the dates under audit in Seoul, is those of the candidate where it is not given. It is noon after DAY.
    """
    model = project.model(relation)
    (found,) = (each for each in model.spec.checks if each.name == check)
    query = found.broken_rows or f"select * from candidate where {found.where_broken}"
    read = {name_of(table) for table in relations(parse_query(query))}
    assert not set(given) - read, f"{check} reads {read}"
    dates = {row["date"] for row in given["candidate"] if "date" in row}
    given = {"audited": [audited(day) for day in dates], **given}
    with conn.transaction(force_rollback=True):
        swaps: dict[str, str] = {}
        for name in read:
            swaps[name] = f"pg_temp.given_{name.replace('.', '_')}"
            shape = AUDITED
            if name != "audited":
                columns = project.model(relation if name == "candidate" else name).spec.columns
                shape = ", ".join(f'"{column.name}" {column.type}' for column in columns)
            conn.execute(f"create temp table {swaps[name].split('.')[1]} ({shape}) on commit drop".encode())
            rows = [{"tenant_id": TENANT} | row for row in given.get(name, [])]
            conn.execute(
                f"insert into {swaps[name]} select * from jsonb_populate_recordset(null::{swaps[name]}, %s)".encode(),
                [json.dumps(rows, default=str)],
            )
        with conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(to_psycopg(swap_relations(query, swaps)).encode(), {"now": NOW}).fetchall()


def audited(day: date, **more: Any) -> Row:
    """A date under audit."""
    return {"date": day, "timezone": "Asia/Seoul"} | more


def made(day: date = DAY, total: float = 100, **more: Any) -> Row:
    """A row of fact_daily_production."""
    row: Row = {"date": day, "line_code": "L01", "product_code": "P001", "shift": "day", "total_qty": total}
    return row | {"good_qty": total, "defect_qty": 0, "work_order_count": 1} | more


def test_good_and_defect_that_do_not_make_the_total_hold_a_date_back(
    cases_connection: psycopg.Connection[Any], project: Project
) -> None:
    rows = [made(), made(line_code="L02", good_qty=90, defect_qty=9)]
    named = broken(cases_connection, project, FACT, "good_and_defect_make_total", {"candidate": rows})
    assert [row["line_code"] for row in named] == ["L02"]
    (check,) = (each for each in project.model(FACT).spec.checks if each.name == "good_and_defect_make_total")
    assert check.severity == "error"


@pytest.mark.parametrize(
    ("check", "dimension", "key"),
    [
        ("line_is_known", "bi.dim_line", "line_code"),
        ("product_is_known", "bi.dim_product", "product_code"),
    ],
)
def test_missing_master_data_is_named_with_its_rows(
    cases_connection: psycopg.Connection[Any], project: Project, check: str, dimension: str, key: str
) -> None:
    rows = [made() | {key: "new"}, made() | {key: "new"}, made() | {key: "known"}]
    known = {key: "known"}
    foreign = {key: "new", "tenant_id": FOREIGN}
    named = broken(cases_connection, project, FACT, check, {"candidate": rows, dimension: [known, foreign]})
    assert [(row["date"], row[key], row["row_count"]) for row in named] == [(DAY, "new", 2)]


@pytest.mark.parametrize(
    ("shift", "is_known"),
    [
        ({}, True),
        ({"shift_code": "night"}, False),
        ({"tenant_id": FOREIGN}, False),
        ({"plant_code": "P2"}, False),
        ({"valid_from": DAY + timedelta(days=1)}, False),
        ({"valid_from": DAY}, True),
        ({"plant_code": ""}, True),
    ],
    ids=str,
)
def test_a_shift_is_known_where_its_plant_has_it_on_that_date(
    cases_connection: psycopg.Connection[Any], project: Project, shift: Row, is_known: bool
) -> None:
    shifts = [{"shift_code": "day", "plant_code": "P1", "valid_from": date(1970, 1, 1)} | shift]
    given = {"candidate": [made()], "bi.dim_line": [{"line_code": "L01", "plant_code": "P1"}], "bi.dim_shift": shifts}
    named = broken(cases_connection, project, FACT, "shift_is_known", given)
    assert [(row["date"], row["shift"], row["row_count"]) for row in named] == [(DAY, "day", 1)] * (not is_known)


def test_a_plant_with_shifts_of_its_own_does_not_take_those_of_all_plants(
    cases_connection: psycopg.Connection[Any], project: Project
) -> None:
    always = {"valid_from": date(1970, 1, 1)}
    given = {
        "candidate": [made(), made(line_code="L02")],
        "bi.dim_line": [{"line_code": "L01", "plant_code": "P1"}],
        "bi.dim_shift": [
            {"shift_code": "day", "plant_code": ""} | always,
            {"shift_code": "A", "plant_code": "P1"} | always,
        ],
    }
    named = broken(cases_connection, project, FACT, "shift_is_known", given)
    assert [(row["plant_code"], row["shift"], row["row_count"]) for row in named] == [("P1", "day", 1)]


def test_missing_ideal_cycle_time_names_line_and_product(
    cases_connection: psycopg.Connection[Any], project: Project
) -> None:
    rows = [made(target_cycle_time=18), made(product_code="P009"), made(product_code="P009", shift="night")]
    named = broken(cases_connection, project, FACT, "ideal_cycle_time_is_known", {"candidate": rows})
    assert [(row["line_code"], row["product_code"], row["row_count"]) for row in named] == [("L01", "P009", 2)]


@pytest.mark.parametrize(
    ("row", "shift", "is_named"),
    [
        ({"runtime_minutes": 1800}, {}, True),
        ({"runtime_minutes": 600}, {}, False),
        ({"runtime_minutes": 601}, {}, True),
        ({"runtime_minutes": 500, "downtime_minutes": 101}, {}, True),
        ({"downtime_minutes": 601}, {}, True),
        ({"runtime_minutes": None, "downtime_minutes": None}, {}, False),
        ({"runtime_minutes": 601}, {"shift_code": "night"}, False),
        ({"runtime_minutes": 1801}, {"shift_code": "night"}, True),
        ({"runtime_minutes": 601}, {"plant_code": ""}, True),
        ({"runtime_minutes": 601}, {"plant_code": "P2"}, False),
        ({"runtime_minutes": 601}, {"tenant_id": FOREIGN}, False),
        ({"runtime_minutes": 601}, {"valid_from": DAY + timedelta(days=1)}, False),
    ],
    ids=str,
)
def test_a_line_cannot_run_and_stand_for_much_longer_than_its_shift_lasts(
    cases_connection: psycopg.Connection[Any], project: Project, row: Row, shift: Row, is_named: bool
) -> None:
    always = date(1970, 1, 1)
    shifts = [{"shift_code": "day", "plant_code": "P1", "valid_from": always, "duration_hours": 8} | shift]
    given = {"candidate": [made(**row)], "bi.dim_line": [{"line_code": "L01", "plant_code": "P1"}]}
    named = broken(cases_connection, project, FACT, "time_fits_the_shift", {**given, "bi.dim_shift": shifts})
    assert [(one["line_code"], one["shift"]) for one in named] == [("L01", "day")] * is_named


def test_time_in_a_shift_is_summed_over_products_and_compared_with_the_shift_of_that_date(
    cases_connection: psycopg.Connection[Any], project: Project
) -> None:
    shift = {"shift_code": "day", "plant_code": ""}
    given = {
        "candidate": [made(runtime_minutes=400), made(product_code="P002", runtime_minutes=400)],
        "bi.dim_shift": [
            shift | {"valid_from": date(1970, 1, 1), "duration_hours": 12},
            shift | {"valid_from": DAY, "duration_hours": 8},
        ],
    }
    named = broken(cases_connection, project, FACT, "time_fits_the_shift", given)
    assert [(one["minutes"], one["shift_minutes"]) for one in named] == [(800, 480)]
    (check,) = (each for each in project.model(FACT).spec.checks if each.name == "time_fits_the_shift")
    assert check.severity == "warning"


WEEKS = [DAY - timedelta(days=7 * week) for week in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("total", "is_named"), [(100, False), (50, False), (49, True), (200, False), (201, True), (0, True)]
)
def test_volume_is_compared_with_the_median_of_the_weekday(
    cases_connection: psycopg.Connection[Any], project: Project, total: float, is_named: bool
) -> None:
    history = [made(day, qty) for day, qty in zip(WEEKS, (100, 90, 110, 5000), strict=True)]  # median 105
    history += [made(DAY - timedelta(days=n), 7) for n in (1, 2, 3)]  # other weekdays do not count
    rows = [made(total=total * 1.05 / 2), made(total=total * 1.05 / 2, shift="night")]
    named = broken(cases_connection, project, FACT, VOLUME, {"candidate": rows, FACT: history})
    assert [(row["date"], row["line_code"], row["median_qty"]) for row in named] == [(DAY, "L01", 105)] * is_named


def test_a_line_without_a_row_has_no_volume(cases_connection: psycopg.Connection[Any], project: Project) -> None:
    history = [made(day, line_code=line) for day in WEEKS for line in ("L01", "L02")]
    named = broken(cases_connection, project, FACT, VOLUME, {"candidate": [made()], FACT: history})
    assert [(row["line_code"], row["total_qty"]) for row in named] == [("L02", 0)]


def test_a_day_without_any_row_has_no_volume(cases_connection: psycopg.Connection[Any], project: Project) -> None:
    """Nothing of the day is in the candidate; what was published of it before does not count."""
    given = {
        "candidate": [],
        "audited": [audited(DAY), audited(DAY, tenant_id=FOREIGN)],
        FACT: [made(day) for day in (*WEEKS, DAY)],
    }
    named = broken(cases_connection, project, FACT, VOLUME, given)
    assert [(str(row["tenant_id"]), row["date"], row["total_qty"]) for row in named] == [(TENANT, DAY, 0)]


def test_an_empty_day_is_no_wonder_where_that_weekday_is_always_empty(
    cases_connection: psycopg.Connection[Any], project: Project
) -> None:
    other_weekdays = [made(DAY - timedelta(days=n)) for n in range(1, 31) if n % 7]
    given = {"candidate": [], "audited": [audited(DAY)], FACT: other_weekdays}
    assert broken(cases_connection, project, FACT, VOLUME, given) == []


@pytest.mark.parametrize(
    ("zone", "line", "is_judged"),
    [
        ("Asia/Seoul", {}, True),
        ("America/Chicago", {}, False),  # where it is still 22:00 of DAY
        ("Asia/Seoul", {"timezone": "America/Chicago"}, False),
        ("America/Chicago", {"timezone": "Asia/Seoul"}, True),
    ],
)
def test_a_day_that_is_not_over_where_the_line_stands_is_not_judged(
    cases_connection: psycopg.Connection[Any], project: Project, zone: str, line: Row, is_judged: bool
) -> None:
    given = {
        "candidate": [made(total=1)],
        "audited": [audited(DAY, timezone=zone)],
        "bi.dim_line": [{"line_code": "L01"} | line],
        FACT: [made(day) for day in WEEKS],
    }
    assert len(broken(cases_connection, project, FACT, VOLUME, given)) == is_judged


def test_two_weeks_are_too_few_to_judge_a_volume(cases_connection: psycopg.Connection[Any], project: Project) -> None:
    given = {"candidate": [made(total=1)], FACT: [made(day) for day in WEEKS[:2]]}
    assert broken(cases_connection, project, FACT, VOLUME, given) == []


def test_rows_under_audit_stand_for_the_published_ones_of_their_dates(
    cases_connection: psycopg.Connection[Any], project: Project
) -> None:
    rows = [made(day) for day in (DAY, *WEEKS)]  # a rebuild of the whole month
    published = [made(day, 100_000) for day in WEEKS]
    given = {"candidate": rows, FACT: published}
    assert broken(cases_connection, project, FACT, VOLUME, given) == []


def _defects(rates: Sequence[float]) -> list[Row]:
    days = range(len(rates), 0, -1)
    return [made(DAY - timedelta(days=n), 1000, defect_qty=1000 * rate) for n, rate in zip(days, rates, strict=True)]


@pytest.mark.parametrize(("rate", "is_named"), [(0.02, False), (0.034, False), (0.036, True), (0.004, True)])
def test_defect_rate_over_three_deviations_from_its_mean_is_named(
    cases_connection: psycopg.Connection[Any], project: Project, rate: float, is_named: bool
) -> None:
    history = _defects([0.015, 0.025] * 10)  # mean 0.02, deviation 0.00513
    given = {"candidate": [made(total=1000, defect_qty=1000 * rate)], FACT: history}
    named = broken(cases_connection, project, FACT, "defect_rate_is_usual", given)
    assert [(row["date"], row["product_code"], abs(row["z"]) > 3) for row in named] == [(DAY, "P001", True)] * is_named


@pytest.mark.parametrize("rates", [[0.015, 0.025] * 4, [0.02] * 20, []])
def test_short_or_steady_history_judges_no_defect_rate(
    cases_connection: psycopg.Connection[Any], project: Project, rates: Sequence[float]
) -> None:
    given = {"candidate": [made(total=1000, defect_qty=900)], FACT: _defects(rates)}
    assert broken(cases_connection, project, FACT, "defect_rate_is_usual", given) == []


def test_implausible_performance_shows_the_best_sustained_cycle(
    cases_connection: psycopg.Connection[Any], project: Project
) -> None:
    history = [
        made(DAY - timedelta(days=n), 100, timed_qty=100, runtime_minutes=30 + n, target_cycle_time=45)
        for n in range(11)
    ]
    candidate = [
        {"date": DAY, "line_code": "L01", "shift": "day", "performance": 2.5},
        {"date": DAY - timedelta(days=1), "line_code": "L01", "shift": "day", "performance": 1.2},
        {"date": DAY, "line_code": "L02", "shift": "day"},
    ]
    given = {"candidate": candidate, FACT: history}
    named = broken(cases_connection, project, "bi.mv_oee_daily", "performance_is_plausible", given)
    assert len(named) == 1
    assert (named[0]["date"], named[0]["product_code"], named[0]["target_cycle_time"]) == (DAY, "P001", 45)
    assert (named[0]["best_sustained_cycle_sec"], named[0]["shift_count"]) == (pytest.approx(31 * 60 / 100), 11)


def test_events_with_a_missing_half_are_named(cases_connection: psycopg.Connection[Any], project: Project) -> None:
    rows = [{"date": DAY, "source_pk": name, "pairing": name} for name in ("paired", "restarted", "end_only", "open")]
    relation = "staging.stg_equipment_event"
    for check, named in (("start_without_end", "restarted"), ("end_without_start", "end_only")):
        found = broken(cases_connection, project, relation, check, {"candidate": rows})
        assert [row["source_pk"] for row in found] == [named]
