"""Which upstream rows count for a row, worked out from planted models; tests/sql_cases proves it on data."""

from pathlib import Path

from dbt_like_sql.origin import Origin, origins
from dbt_like_sql.project import load_project
from tests.dbt_like_sql.planting import FACT_SQL, FACT_YML, plant, sound


def found(root: Path, sql: str, name: str = "fact_thing") -> tuple[Origin, ...]:
    """Origins of the sound fact with other SQL."""
    plant(sound(root), f"facts/{name}", sql, FACT_YML)
    return origins(load_project(root), f"bi.{name}")


def plain(origin: Origin) -> set[str]:
    return {condition.replace('"', "") for condition in origin.conditions}


def test_staging_is_tied_to_its_record_by_the_grain(tmp_path: Path) -> None:
    (origin,) = origins(load_project(sound(tmp_path)), "staging.stg_thing")
    assert origin.relation == "core.erp_mes_data"
    assert {
        "source.tenant_id = made.tenant_id",
        "source.business_date = made.date",
        "source.source_system = made.source_system",
        "source.source_pk = made.source_pk",
        "source.is_current",
        "source.record_type = 'thing'",
    } <= plain(origin)


def test_conditions_pass_through_grouping_and_expressions(tmp_path: Path) -> None:
    (origin,) = found(tmp_path, FACT_SQL)
    assert {"source.date = made.date", "COALESCE(source.line_code, 'none') = made.line_code"} <= plain(origin)
    assert origin.tied_by == {"tenant_id", "date", "line_code"}


def test_an_outer_join_never_narrows_the_side_that_it_keeps(tmp_path: Path) -> None:
    sql = FACT_SQL.replace(
        "as t\n",
        "as t\nleft join bi.dim_line as l on l.tenant_id = t.tenant_id and l.name = t.line_code and t.qty > 5\n",
    ).replace("sum(t.qty)", "sum(case when l.name is not null then t.qty end)")
    thing, line = found(tmp_path, sql)
    assert (thing.relation, line.relation) == ("staging.stg_thing", "bi.dim_line")
    assert not any("qty" in condition for condition in thing.conditions)
    assert "source.tenant_id = made.tenant_id" in plain(line)


def test_a_full_join_ties_both_sides(tmp_path: Path) -> None:
    sql = """
with a as (select t.tenant_id, t.date, t.line_code, sum(t.qty) as qty from staging.stg_thing as t group by 1, 2, 3),
b as (select t.tenant_id, t.date, t.line_code, count(*) as n from staging.stg_thing as t group by 1, 2, 3)
select coalesce(a.tenant_id, b.tenant_id) as tenant_id, coalesce(a.date, b.date) as date,
    coalesce(a.line_code, b.line_code) as line_code, a.qty + b.n as qty
from a full join b on b.tenant_id = a.tenant_id and b.date = a.date and b.line_code = a.line_code
where coalesce(a.date, b.date) between :from_date and :to_date
"""
    (origin,) = found(tmp_path, sql)
    assert {
        "source.tenant_id = made.tenant_id",
        "source.date = made.date",
        "source.line_code = made.line_code",
    } <= plain(origin)


def test_each_branch_of_a_union_is_a_way_of_its_own(tmp_path: Path) -> None:
    sql = """
select t.tenant_id, t.date, t.line_code, t.qty from staging.stg_thing as t where t.qty > 0
union all
select t.tenant_id, t.date + 1, t.line_code, t.qty from staging.stg_thing as t where :from_date < :to_date
"""
    one, other = found(tmp_path, sql)
    assert {"source.qty > 0", "source.date = made.date"} <= plain(one)
    assert "(source.date + 1) = made.date" in plain(other)


def test_what_only_decides_whether_a_row_appears_is_no_origin(tmp_path: Path) -> None:
    sql = FACT_SQL.replace(
        "as t\n", "as t\ninner join (select l.tenant_id, max(l.name) as m from bi.dim_line as l group by 1) as n"
        " on n.tenant_id = t.tenant_id and t.line_code <= n.m\n"
    )  # fmt: skip
    assert [origin.relation for origin in found(tmp_path, sql)] == ["staging.stg_thing"]


def test_a_window_over_another_day_of_the_same_cte_is_not_tied_to_this_row(tmp_path: Path) -> None:
    """The day before comes through the same CTE; what is known of today's row must not narrow it."""
    sql = """
with t as (select s.tenant_id, s.date, s.line_code, s.source_system as part, s.qty from staging.stg_thing as s),
w as (
    select t.tenant_id, t.date, t.line_code, sum(t.qty) over (partition by t.tenant_id, t.part) as total from t
)
select t.tenant_id, t.date, t.line_code, w.total as qty
from t left join w on w.tenant_id = t.tenant_id and w.line_code = t.line_code and w.date = t.date - 1
where t.date between :from_date and :to_date
"""
    windows = [origin for origin in found(tmp_path, sql) if origin.windows]
    assert [plain(origin) for origin in windows] == [{"source.tenant_id = made.tenant_id"}]


def test_a_range_window_reaches_as_far_as_it_says(tmp_path: Path) -> None:
    sql = """
select t.tenant_id, t.date, t.line_code,
    avg(t.qty) over (partition by t.tenant_id, t.line_code order by t.date
        range between interval '6 days' preceding and interval '1 day' following) as qty
from staging.stg_thing as t
where :from_date <= :to_date
"""
    own, beside = found(tmp_path, sql)
    assert (own.windows, beside.windows) == (False, True)
    assert {
        "source.date >= made.date - INTERVAL '6 DAYS'",
        "source.date <= made.date + INTERVAL '1 DAY'",
        "source.line_code = made.line_code",
        "source.tenant_id = made.tenant_id",
    } <= plain(beside)
    assert "source.date = made.date" not in plain(beside)


def test_a_condition_on_what_a_window_computes_asks_the_subquery() -> None:
    """Only the ideal cycle time in effect counts; until when it is in effect is computed by lead()."""
    found = origins(load_project(), "bi.fact_daily_production")
    cycle = next(origin for origin in found if origin.relation == "bi.dim_cycle_time" and not origin.windows)
    (asked,) = (condition for condition in cycle.conditions if condition.startswith("EXISTS(SELECT 1 FROM ("))
    assert '"made"."date" < "inside"."valid_until"' in asked
