"""Tables, views and marts follow the contracts, in place or by a swap, and nothing is lost on the way."""

from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from dbt_like_sql.errors import ModelError
from dbt_like_sql.project import load_project
from platform_core.warehouse.connection import Role, autocommit, transaction
from platform_core.warehouse.ddl import apply_project, reader_view
from platform_core.warehouse.errors import TableConflictError
from tests.warehouse.small import FACT, MART, STAGING, SmallFactory, day

PRODUCTION = "facts/fact_daily_production"
NEW_COLUMN = "  - {name: orders, type: bigint, description: Work orders}\nchecks:"


def edit(models: Path, file: str, *changes: tuple[str, str]) -> None:
    path = models / file
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def apply(factory: SmallFactory, models: Path) -> tuple[str, ...]:
    factory.project = load_project(models)
    return apply_project(factory.warehouse, factory.project)


def columns(factory: SmallFactory, relation: str) -> dict[str, str]:
    query = (
        "select attname, format_type(atttypid, atttypmod) from pg_attribute "
        "where attrelid = %s::regclass and attnum > 0 and not attisdropped"
    )
    return dict(factory.rows(query, [relation]))


def filled(factory: SmallFactory) -> None:
    factory.line("L1")
    factory.land(day(4), "a", 10)
    factory.land(day(5), "b", 20)
    factory.land(day(5), "c", 7, tenant=factory.other)
    factory.build(day(4), day(5))


def test_applying_twice_changes_nothing(factory: SmallFactory, models: Path) -> None:
    assert apply(factory, models) == ()


def test_every_relation_says_what_it_means(factory: SmallFactory) -> None:
    query = "select obj_description(%s::regclass), col_description(%s::regclass, 5)"
    for relation in (FACT, "bi.v_fact_daily_production"):
        assert factory.rows(query, [relation, relation]) == [
            ("What a line made of a product on a date.", "Pieces. Unit: piece.")
        ]


def test_a_new_nullable_column_and_index_come_in_place(factory: SmallFactory, models: Path) -> None:
    filled(factory)
    oid = factory.rows(f"select '{FACT}'::regclass::oid")
    edit(
        models,
        f"{PRODUCTION}.yml",
        ("checks:", NEW_COLUMN),
        ("[[tenant_id, line_code]]", "[[tenant_id, product_code]]"),
    )
    edit(models, f"{PRODUCTION}.sql", (" as line_name", " as line_name,\n    count(*) as orders"))
    assert apply(factory, models) == (
        "altered bi.fact_daily_production: new column orders, index on tenant_id, product_code, "
        "no index on tenant_id, line_code",
    )
    assert factory.rows(f"select '{FACT}'::regclass::oid") == oid
    assert factory.marks(FACT) == [day(4), day(5)]
    assert "orders" in columns(factory, "bi.v_fact_daily_production")
    factory.build(day(4), day(5), run_id="second")
    assert factory.rows(f"select distinct orders from {FACT}") == [(1,)]


def test_a_changed_type_is_swapped_with_its_rows_and_everything_that_reads_it(
    factory: SmallFactory, models: Path
) -> None:
    filled(factory)
    edit(models, f"{PRODUCTION}.yml", ("total_qty, type: numeric", "total_qty, type: double precision"))
    assert apply(factory, models) == (
        "replaced bi.fact_daily_production, with its rows",
        "replaced bi.v_fact_daily_production_calc",
        "replaced bi.mv_line",
    )
    assert columns(factory, FACT)["total_qty"] == "double precision"
    assert factory.totals() == {day(4): 10, day(5): 20}
    assert factory.totals(MART) == {day(4): 10, day(5): 20}
    assert factory.marks(FACT) == [day(4), day(5)]
    assert factory.rows("select relname from pg_class where position('__next' in relname) > 0") == []
    factory.land(day(6), "d", 40)
    factory.build(day(4), day(5), day(6), run_id="second")
    assert factory.totals(MART) == {day(4): 10, day(5): 20, day(6): 40}  # the mart reads the new table, not the old one
    assert apply(factory, models) == ()


def test_a_new_column_that_is_never_null_starts_the_table_anew(factory: SmallFactory, models: Path) -> None:
    filled(factory)
    column = "  - {name: orders, type: bigint, not_null: true, description: Work orders}\nchecks:"
    edit(models, f"{PRODUCTION}.yml", ("checks:", column))
    edit(models, f"{PRODUCTION}.sql", (" as line_name", " as line_name,\n    count(*) as orders"))
    assert "replaced bi.fact_daily_production, to be filled anew" in apply(factory, models)
    assert factory.states(FACT) == {}
    assert factory.marks(FACT) == [day(4), day(5)]
    factory.build(day(4), day(5), run_id="second")
    assert factory.totals() == {day(4): 10, day(5): 20}


def test_wider_partitions_another_grain_and_a_dropped_column_keep_the_rows(factory: SmallFactory, models: Path) -> None:
    filled(factory)
    edit(models, "staging/stg_work_order.yml", ("partition_by: month", "partition_by: quarter"))
    edit(
        models,
        f"{PRODUCTION}.yml",
        ("grain: [tenant_id, date, line_code, product_code]", "grain: [tenant_id, date, product_code, line_code]"),
        ("  - {name: line_name, type: text, description: Name of the line}\n", ""),
    )
    edit(models, f"{PRODUCTION}.sql", (",\n    max(line.name) as line_name", ""))
    said = apply(factory, models)
    assert "replaced staging.stg_work_order, with its rows" in said
    assert "replaced bi.fact_daily_production, with its rows" in said
    assert factory.totals() == {day(4): 10, day(5): 20}
    assert "line_name" not in columns(factory, "bi.v_fact_daily_production")
    factory.build(day(4), day(5), run_id="second")
    assert factory.totals(STAGING) == {day(4): 10, day(5): 20}


def test_a_changed_mart_is_swapped_and_marked(factory: SmallFactory, models: Path) -> None:
    filled(factory)
    edit(models, "marts/mv_line.sql", ("sum(production.total_qty)", "2 * sum(production.total_qty)"))
    assert apply(factory, models) == ("replaced bi.mv_line",)
    assert factory.totals(MART) == {day(4): 20, day(5): 40}
    assert len(factory.marks(MART)) == 1


def test_a_changed_select_marks_the_dates_that_the_old_one_filled(factory: SmallFactory, models: Path) -> None:
    filled(factory)
    edit(models, f"{PRODUCTION}.sql", ("sum(work_order.good_qty)", "min(work_order.good_qty)"))
    assert apply(factory, models) == ("altered bi.fact_daily_production: its description",)
    assert factory.marks(FACT) == [day(4), day(5)]
    assert factory.marks(FACT, factory.other) == [day(4), day(5)]


def test_a_new_model_is_marked_where_its_upstreams_are_filled(factory: SmallFactory, models: Path) -> None:
    filled(factory)
    for ending in ("sql", "yml"):
        text = (models / f"facts/fact_three_days.{ending}").read_text()
        (models / f"facts/fact_again.{ending}").write_text(text)
    assert apply(factory, models) == ("created bi.fact_again",)
    assert factory.marks("bi.fact_again") == [day(4), day(5)]


def test_a_removed_mart_goes_and_a_removed_table_stays(factory: SmallFactory, models: Path) -> None:
    filled(factory)
    for name in ("marts/mv_line", "facts/fact_three_days"):
        for ending in ("sql", "yml"):
            (models / f"{name}.{ending}").unlink()
    assert set(apply(factory, models)) == {
        "dropped bi.mv_line, which no model makes any more",
        "left bi.fact_three_days and its rows, though no model makes it any more",
    }
    assert factory.rows("select to_regclass('bi.v_mv_line')") == [(None,)]
    assert apply(factory, models) == ()


def test_what_is_not_ours_is_never_dropped(factory: SmallFactory, models: Path) -> None:
    with autocommit(factory.warehouse) as conn:
        conn.execute("create view bi.report as select * from bi.v_fact_daily_production")
    edit(models, f"{PRODUCTION}.yml", ("total_qty, type: numeric", "total_qty, type: double precision"))
    with pytest.raises(TableConflictError, match=r"view bi\.report depends on"):
        apply(factory, models)
    assert columns(factory, FACT)["total_qty"] == "numeric"
    with autocommit(factory.warehouse) as conn:
        conn.execute("drop view bi.report; create table bi.fact_again (mine integer)")
    for ending in ("sql", "yml"):
        (models / f"facts/fact_again.{ending}").write_text((models / f"facts/fact_three_days.{ending}").read_text())
    with pytest.raises(TableConflictError, match=r"bi\.fact_again is there already"):
        apply(factory, models)


def test_a_partitioned_table_needs_its_date_in_the_grain(factory: SmallFactory, models: Path) -> None:
    edit(models, f"{PRODUCTION}.yml", ("grain: [tenant_id, date, line_code,", "grain: [tenant_id, line_code,"))
    with pytest.raises(ModelError, match="needs `date` in its grain"):
        apply(factory, models)


def test_readers_see_only_their_tenant_and_their_lines(factory: SmallFactory) -> None:
    filled(factory)
    views = [
        view for model in factory.project.models.values() if (view := reader_view(model)) and "date" not in model.name
    ]
    assert len(views) == 5
    for view in views:
        query = f"select count(*), count(*) filter (where tenant_id <> %s) from {view}".encode()
        with transaction(factory.warehouse, role=Role.API) as conn:
            assert conn.execute(query, [factory.tenant]).fetchone() == (0, 0)
        with transaction(factory.warehouse, role=Role.API, tenant=factory.tenant) as conn:
            count, foreign = conn.execute(query, [factory.tenant]).fetchone() or (0, 0)
            assert count > 0
            assert foreign == 0
        with transaction(factory.warehouse, role=Role.API, tenant=factory.tenant, lines=["L1"]) as conn:
            assert conn.execute(query, [factory.tenant]).fetchone() == (count, 0)
        with transaction(factory.warehouse, role=Role.API, tenant=factory.tenant, lines=["L2"]) as conn:
            assert conn.execute(query, [factory.tenant]).fetchone() == (0, 0)


@pytest.mark.parametrize("relation", [STAGING, FACT, MART, "bi.dim_line", "bi.fact_daily_production_p2026q2"])
def test_nobody_reads_beneath_the_reader_views(factory: SmallFactory, relation: str) -> None:
    filled(factory)
    with transaction(factory.warehouse, role=Role.API, tenant=factory.tenant) as conn:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(f"select 1 from {relation}".encode())
        conn.rollback()


def test_row_security_binds_even_with_a_grant(factory: SmallFactory) -> None:
    filled(factory)
    with autocommit(factory.warehouse) as conn:
        conn.execute("grant select on bi.fact_daily_production, bi.fact_daily_production_p2026q2 to takt_api")
    with transaction(factory.warehouse, role=Role.API, tenant=factory.other) as conn:
        assert conn.execute("select sum(total_qty) from bi.fact_daily_production").fetchone() == (Decimal(7),)
        assert conn.execute("select count(*) from bi.fact_daily_production_p2026q2").fetchone() == (0,)


def test_every_tenant_table_and_partition_has_row_security(factory: SmallFactory) -> None:
    filled(factory)
    query = (
        "select oid::regclass::text from pg_class where relnamespace in ('bi'::regnamespace, 'staging'::regnamespace) "
        "and relkind in ('r', 'p') and not relrowsecurity"
    )
    without = {name for (name,) in factory.rows(query)}
    assert without <= {"bi.data_quality_rules", "bi.etl_job_executions"}
