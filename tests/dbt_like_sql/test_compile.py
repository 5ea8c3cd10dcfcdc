"""SQL reaches the database changed exactly where it must be, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbt_like_sql.compile import PARAMETERS, name_of, parameters, parse_query, relations, swap_relations, to_psycopg
from dbt_like_sql.errors import ModelError


def test_parameters_become_placeholders_and_percent_signs_are_doubled() -> None:
    sql = "select 1 % 2, ':now %', a::date from t.t -- 50 % of :from_date\nwhere d = :from_date::date and e < :now"
    assert to_psycopg(sql) == (
        "select 1 %% 2, ':now %%', a::date from t.t -- 50 %% of :from_date\n"
        "where d = %(from_date)s::date and e < %(now)s"
    )
    assert parameters(sql) == {"from_date", "now"}


def test_array_slices_and_casts_are_no_parameters() -> None:
    sql = "select a[1:2], b::text, '가나:now' from t.t"
    assert to_psycopg(sql) == sql


def test_unknown_parameter_is_refused() -> None:
    with pytest.raises(ModelError, match=":tenant"):
        to_psycopg("select :tenant")


_texts = st.text(alphabet="abc%: 한글'\n-/*", max_size=12).map(lambda text: "'" + text.replace("'", "''") + "'")
_pieces = st.one_of(_texts, st.sampled_from(sorted(f":{name}" for name in PARAMETERS)), st.sampled_from(["5 % 3", "b"]))


@given(st.lists(_pieces, min_size=1, max_size=8))
def test_what_psycopg_makes_of_it_is_the_sql_as_written(pieces: list[str]) -> None:
    sql = f"select {', '.join(pieces)} from t.t"
    assert to_psycopg(sql) % {name: f":{name}" for name in PARAMETERS} == sql


def test_relations_are_swapped_wherever_they_are_read_and_nowhere_else() -> None:
    sql = """
with dim_line as (select 'bi.dim_line' as text from bi.dim_line)  -- bi.dim_line
select l.text, dim_line.text, (select count(*) from BI.dim_line as x)
from dim_line as l cross join lateral (select text from "bi"."dim_line") as q
left join bi.dim_line on bi.dim_line.text = l.text
"""
    assert (
        swap_relations(sql, {"bi.dim_line": "pg_temp.other"})
        == """
with dim_line as (select 'bi.dim_line' as text from pg_temp.other as dim_line)  -- bi.dim_line
select l.text, dim_line.text, (select count(*) from pg_temp.other as x)
from dim_line as l cross join lateral (select text from pg_temp.other as "dim_line") as q
left join pg_temp.other as dim_line on dim_line.text = l.text
"""
    )


def test_a_relation_without_schema_can_be_swapped_unless_it_is_a_cte() -> None:
    assert swap_relations("select 1 from candidate", {"candidate": "s.c"}) == "select 1 from s.c as candidate"
    cte = "with candidate as (select 1) select 1 from candidate"
    assert swap_relations(cte, {"candidate": "s.c"}) == cte


_names = st.sampled_from(["bi.a", "bi.b", "staging.a"])
_aliases = st.sampled_from(["", " as x", " y"])


@given(st.lists(st.tuples(_names, _aliases), min_size=1, max_size=4), st.sets(_names))
def test_after_a_swap_exactly_the_new_relations_are_read(read: list[tuple[str, str]], swapped: set[str]) -> None:
    sql = "\nunion all\n".join(f"select 1 from {name}{alias}" for name, alias in read)
    swaps = {name: f"other.{name.replace('.', '_')}" for name in swapped}
    after = [name_of(table) for table in relations(parse_query(swap_relations(sql, swaps)))]
    assert sorted(after) == sorted(swaps.get(name, name) for name, _ in read)


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("select 1; select 2", "exactly one SELECT"),
        ("", "exactly one SELECT"),
        ("create table t as select 1", "exactly one SELECT"),
        ("with gone as (delete from t returning *) select 1 from gone", "only read"),
        ("select 1 into t", "only read"),
        ("select 1 from t for update", "only read"),
        ("select 1 from\nwhere", "q.sql:2: not readable"),
    ],
)
def test_a_file_is_exactly_one_select(sql: str, says: str) -> None:
    with pytest.raises(ModelError) as raised:
        parse_query(sql, where="q.sql")
    assert says in str(raised.value)
