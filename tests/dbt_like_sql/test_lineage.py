"""Columns are followed through everything a SELECT may do on the way."""

import time
from pathlib import Path

import psycopg
import pytest

from dbt_like_sql.contracts import Model
from dbt_like_sql.errors import ModelError
from dbt_like_sql.lineage import CORE_COLUMNS, column_lineage, lineage_of
from dbt_like_sql.project import load_project
from tests.conftest import Server

KNOWN = {
    "s.a": ["tenant_id", "date", "x", "y", "doc", "tags"],
    "s.b": ["tenant_id", "date", "x", "z"],
}


def lineage(sql: str) -> dict[str, str]:
    """Leaves by output column, as `a.x b.z`."""
    spec = load_project().models["bi.dim_line"].spec
    model = Model("m", "facts", spec, sql, Path("m.sql"), (), "")
    return {
        name: " ".join(f"{relation.removeprefix('s.')}.{column}" for relation, column in leaves)
        for name, leaves in lineage_of(model, KNOWN).items()
    }


CASES = {
    "plain, renamed, folded": ("select X as one, a.Y from s.a", {"one": "a.x", "y": "a.y"}),
    "expressions": ("select a.x + a.y * 2 as v, 'x' as t, count(*) as n from s.a", {"v": "a.x a.y", "t": "", "n": ""}),
    "jsonb": ("select (a.doc -> 'k' ->> 'x')::numeric as v from s.a", {"v": "a.doc"}),
    "cte": (
        "with p as (select x as q from s.a), r as (select q + 1 as q from p) select r.q from r",
        {"q": "a.x"},
    ),
    "cte with column names": ("with p(q, r) as (select x, y from s.a) select r, q from p", {"r": "a.y", "q": "a.x"}),
    "star of a cte": (
        "with p as (select x, y from s.a) select p.*, p.x as again from p",
        {"x": "a.x", "y": "a.y", "again": "a.x"},
    ),
    "join with star": (
        "select b.*, a.y from s.a as a join s.b as b on a.x = b.x",
        {"tenant_id": "b.tenant_id", "date": "b.date", "x": "b.x", "z": "b.z", "y": "a.y"},
    ),
    "using": ("select x, y, z from s.a left join s.b using (x)", {"x": "a.x", "y": "a.y", "z": "b.z"}),
    "full join using": ("select x, z from s.a full join s.b using (x)", {"x": "a.x b.x", "z": "b.z"}),
    "lateral function": (
        "select p.qty, p.type from s.a cross join lateral jsonb_to_recordset(a.doc) as p(type text, qty numeric)",
        {"qty": "a.doc", "type": "a.doc"},
    ),
    "set-returning function": (
        "select d.value ->> 'k' as k, n from s.a, jsonb_array_elements(a.doc) as d, generate_series(1, a.x) as n",
        {"k": "a.doc", "n": "a.x"},
    ),
    "unnest": ("select t, o from s.a, unnest(a.tags) with ordinality as u(t, o)", {"t": "a.tags", "o": "a.tags"}),
    "values": ("select v.k, a.x from s.a, (values (1, 'p')) as v(n, k)", {"k": "", "x": "a.x"}),
    "lateral subquery": (
        "select l.v from s.a cross join lateral (select max(b.z) + a.y as v from s.b as b where b.x = a.x) as l",
        {"v": "a.y b.z"},
    ),
    "scalar subquery": ("select (select sum(b.z) from s.b as b where b.x = a.x) as v from s.a", {"v": "b.z"}),
    "union": ("select x as v from s.a union all select z from s.b", {"v": "a.x b.z"}),
    "window": (
        "select sum(a.x) over (partition by a.tenant_id order by a.date) as v from s.a",
        {"v": "a.date a.tenant_id a.x"},
    ),
    "recursive": (
        "with recursive t as (select x, 1 as n from s.a union all select t.x + b.z, n + 1 from t join s.b using (x))"
        " select t.x, t.n from t",
        {"x": "a.x b.z", "n": ""},
    ),
    "whole row": ("select to_jsonb(a) as doc from s.a as a", {"doc": "a.date a.doc a.tags a.tenant_id a.x a.y"}),
    "subquery in from": ("select q.v from (select x as v from s.a) as q", {"v": "a.x"}),
    "case and filter": (
        "select case when a.x > 0 then a.y end as v, sum(a.x) filter (where a.y = 1) as w from s.a group by 1",
        {"v": "a.x a.y", "w": "a.x a.y"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_lineage(name: str) -> None:
    sql, expected = CASES[name]
    assert lineage(sql) == expected


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("select x from s.a, s.b", "x could belong to a, b"),
        ("select w from s.a", "w belongs to no source"),
        ("select c.x from s.a", "names no source"),
    ],
)
def test_a_column_that_cannot_be_followed_is_named_with_its_file(sql: str, says: str) -> None:
    with pytest.raises(ModelError, match=rf"m\.sql: .*{says}"):
        lineage(sql)


def test_packaged_models_are_followed_in_milliseconds() -> None:
    project = load_project()
    started = time.process_time()
    for relation in project.models:
        found = column_lineage(project, relation)
        assert list(found) == [column.name for column in project.models[relation].spec.columns]
    assert (time.process_time() - started) / len(project.models) < 0.05


def test_every_measure_of_the_oee_mart_comes_from_the_production_fact() -> None:
    found = column_lineage(load_project(), "bi.mv_oee_daily")
    assert {relation for relation, _ in found["oee"]} == {"bi.fact_daily_production"}
    assert found["line_name"] == [("bi.dim_line", "name")]
    assert found["availability"] == [
        ("bi.fact_daily_production", "downtime_minutes"),
        ("bi.fact_daily_production", "runtime_minutes"),
    ]


def test_tables_below_the_models_have_the_columns_that_lineage_knows(server: Server) -> None:
    with psycopg.connect(server.warehouse(server.template, server.template).owner_url) as conn:
        for relation, columns in CORE_COLUMNS.items():
            schema, _, name = relation.partition(".")
            query = "select column_name from information_schema.columns where table_schema = %s and table_name = %s"
            found = conn.execute(query, [schema, name]).fetchall()
            assert {column for (column,) in found} == set(columns), relation
