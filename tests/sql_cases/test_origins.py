"""The conditions that trace works out from a model's SQL, held against the SQL itself, over every case there is.

From the upstream rows that the conditions name for a row, and nothing else, the model must make that very row again.
"""

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from dbt_like_sql.compile import swap_relations
from dbt_like_sql.contracts import Model
from dbt_like_sql.origin import MADE, SOURCE, Origin, origins
from dbt_like_sql.project import Project
from tests.sql_cases.runner import Case, CaseFile, Row, case_files, given_tables, model_rows

# The newest date of production decides whether an event shows, and gives it no value: it is no origin.
HANGS_ON_OTHERS = {"mv_line_performance/events_only"}
FILES = [file for file in case_files() if "empty" not in file.read().covers and str(file) not in HANGS_ON_OTHERS]


@pytest.mark.parametrize("file", FILES, ids=str)
def test_the_rows_that_trace_names_are_enough_to_make_the_row_again(
    file: CaseFile, cases_connection: psycopg.Connection[Any], project: Project
) -> None:
    case, model = file.read(), project.model(file.model)
    with cases_connection.transaction(force_rollback=True):
        tables = given_tables(cases_connection, project, model, case)
        ways = origins(project, model.relation)
        for row in model_rows(cases_connection, model, tables, case):
            few = tables | _only(cases_connection, model, tables, row, ways)
            again = model_rows(cases_connection, model, few, case)
            assert [made for made in again if _key(model, made) == _key(model, row)] == [row]


def _key(model: Model, row: Row) -> list[Any]:
    return [row[name] for name in model.spec.grain]


def _only(
    conn: psycopg.Connection[Any], model: Model, tables: dict[str, str], row: Row, ways: tuple[Origin, ...]
) -> dict[str, str]:
    """Tables that hold, of each relation, only the rows that some origin names for the row."""
    few: dict[str, str] = {}
    types = {column.name: column.type for column in model.spec.columns}
    for relation in {way.relation for way in ways}:
        tied = sorted(
            {name for way in ways if way.relation == relation for name in way.tied_by} | {model.spec.grain[0]}
        )
        values = ", ".join(f"%(v{n})s::{types[name]}" for n, name in enumerate(tied))
        names = ", ".join(f'"{name}"' for name in tied)
        tests = " or ".join(
            f"({' and '.join(way.conditions) or 'true'})".replace("%", "%%") for way in ways if way.relation == relation
        )
        name = f"few_{uuid4().hex}"
        query = f"select {SOURCE}.* from {relation} as {SOURCE} cross join (values ({values})) as {MADE}({names})"
        query = swap_relations(f"{query} where {tests}", tables)
        conn.execute(
            f"create temp table {name} on commit drop as {query}".encode(),
            {f"v{n}": row[column] for n, column in enumerate(tied)},
        )
        few[relation] = f"pg_temp.{name}"
    return few


def test_rows_of_other_keys_are_left_out(cases_connection: psycopg.Connection[Any], project: Project) -> None:
    model = project.model("fact_daily_production")
    orders = [
        {"date": "2025-06-02", "line_code": line, "product_code": "P001", "total_qty": 1}
        for line in ("L01", "L02", "L01")
    ]
    case = Case(description="", given={"staging.stg_work_order": orders}, expect=[])
    with cases_connection.transaction(force_rollback=True):
        tables = given_tables(cases_connection, project, model, case)
        rows = model_rows(cases_connection, model, tables, case)
        counts: list[int] = []
        for row in rows:
            few = _only(cases_connection, model, tables, row, origins(project, model.relation))
            found = cases_connection.execute(
                f"select count(*) from {few['staging.stg_work_order']}".encode()
            ).fetchone()
            counts += found or ()
    assert [(row["line_code"], count) for row, count in zip(rows, counts, strict=True)] == [("L01", 2), ("L02", 1)]
