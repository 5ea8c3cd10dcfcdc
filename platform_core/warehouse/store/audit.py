"""The queries by which great-expectations finds rows that break a rule, gathered by tenant and date."""

import re
from functools import cache

import psycopg
from psycopg import sql

from dbt_like_sql.compile import parse_query, swap_relations
from dbt_like_sql.contracts import Model
from platform_core.warehouse.contracts import UNDATED
from platform_core.warehouse.rules import Rule
from platform_core.warehouse.store.catalog import trusted
from platform_core.warehouse.store.partitions import identifier

# great-expectations reads at most 200 rows of an answer: all that is broken comes as one row, and none when sound.
LOCATE = """
select jsonb_agg(
    jsonb_build_object('tenant_id', key_tenant, 'date', key_date, 'rows', rows, 'sample', sample)
) as broken
from (
    select key_tenant, key_date, sum(stands_for)::bigint as rows,
        jsonb_agg(line) filter (where place <= {sample}) as sample
    from (
        select {tenant} as key_tenant, {day} as key_date, {stands_for} as stands_for, to_jsonb(found) as line,
            row_number() over (partition by {tenant}, {day}) as place
        from ({query}) as found
    ) as placed
    group by key_tenant, key_date
) as located
having count(*) > 0
"""
BROKEN_WHERE = "select * from {relation} as candidate where {predicate}"
REPEATED = """
select {columns}, count(*) as row_count from {relation} where not {is_unique} group by {columns} having count(*) > 1
"""
IS_NULL = "{column} is null"
NOT_AMONG = "{column} <> all ({values})"
BELOW = "{column} < {value}"
ABOVE = "{column} > {value}"
ROW_COUNT = "row_count"
"""A column of this name in a check's SELECT says how many broken rows a line of it stands for."""

_CANDIDATE = "takt_rows_under_audit"

# SQLAlchemy's text() takes `:word` for a parameter unless the colon is escaped.
_ESCAPED_COLON = r"\\:"
_PARAMETER_LIKE = re.compile(r"(?<![:\w\\]):(?=\w)")


def locating(conn: psycopg.Connection, model: Model, rule: Rule, relation: str, *, sample: int, is_unique: bool) -> str:
    """The query that gives one row with everything that breaks the rule in `relation`, and none when nothing does.

    It comes as great-expectations wants it: braces doubled, colons escaped. Its `{batch}` stands in a comment, as what
    is put there is a subquery or a name according to circumstances.
    """
    columns = {column.name for column in model.spec.columns}
    query = _broken(model, rule, relation, is_unique=is_unique)
    if rule.kind == "broken_rows":
        _, selected = _parsed(rule.sql)
    else:
        selected = frozenset(columns | ({ROW_COUNT} if rule.kind == "unique" else set[str]()))
    grain = set(model.spec.grain) if rule.kind == "unique" else selected
    has_day = "date" in selected & grain and model.spec.materialized != "table"
    statement = sql.SQL(LOCATE).format(
        tenant=sql.SQL("found.tenant_id") if "tenant_id" in selected & grain else sql.SQL("null::uuid"),
        day=sql.SQL("found.date") if has_day else sql.SQL("{}::date").format(sql.Literal(UNDATED)),
        stands_for=sql.SQL("found.row_count") if ROW_COUNT in selected else sql.SQL("1"),
        query=query,
        sample=sql.Literal(sample),
    )
    text = statement.as_string(conn).replace("{", "{{").replace("}", "}}")
    return "/* {batch} */ " + _PARAMETER_LIKE.sub(_ESCAPED_COLON, text)


@cache
def _parsed(check: str) -> tuple[str, frozenset[str]]:
    """A check's SELECT with _CANDIDATE for the rows under audit, and its columns; parsing takes milliseconds."""
    text = swap_relations(check.rstrip().rstrip(";"), {"candidate": _CANDIDATE})
    return text, frozenset(parse_query(text).named_selects)


def _broken(model: Model, rule: Rule, relation: str, *, is_unique: bool) -> sql.Composable:
    """A SELECT of the rows that break the rule."""
    names = sql.SQL(", ").join(map(sql.Identifier, rule.columns))
    if rule.kind == "broken_rows":
        return trusted(_parsed(rule.sql)[0].replace(_CANDIDATE, relation))
    if rule.kind == "unique":
        return sql.SQL(REPEATED).format(
            relation=identifier(relation), columns=names, is_unique=sql.SQL("true" if is_unique else "false")
        )
    return sql.SQL(BROKEN_WHERE).format(relation=identifier(relation), predicate=_predicate(rule))


def _predicate(rule: Rule) -> sql.Composable:
    if rule.kind == "where_broken":
        return trusted(rule.sql)
    column = sql.Identifier(rule.columns[0])
    if rule.kind == "not_null":
        return sql.SQL(IS_NULL).format(column=column)
    if rule.kind == "values":
        return sql.SQL(NOT_AMONG).format(column=column, values=sql.Literal(rule.config["values"]))
    low, high = rule.config["minimum"], rule.config["maximum"]
    outside = [sql.SQL(BELOW).format(column=column, value=sql.Literal(low))] if low is not None else []
    outside += [sql.SQL(ABOVE).format(column=column, value=sql.Literal(high))] if high is not None else []
    return sql.SQL(" or ").join(outside)
