"""The queries by which great-expectations finds rows that break a rule, gathered by tenant and date."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from uuid import UUID

import psycopg
from psycopg import sql

from dbt_like_sql.compile import parse_query, swap_relations, to_psycopg
from dbt_like_sql.contracts import Model
from platform_core.warehouse.contracts import UNDATED, TenantDate
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
# The tenants and dates under audit, each tenant with each date, with the zone by whose clock they begin and end.
AUDITED = """
(select owner.id as tenant_id, asked.day as date, coalesce(owner.settings ->> 'timezone', 'Asia/Seoul') as timezone
from core.tenants as owner cross join unnest({days}::date[]) as asked(day) where owner.id = any({tenants}::uuid[]))
"""
# What is published of the dates under audit does not count, as the candidate is to take its place.
STALE = """
select aged.tenant_id, aged.date, round(aged.hours, 1) as hours_since, {limit} as hours_allowed
from (
    select newest.tenant_id, newest.date,
        extract(epoch from {now} - (newest.date + 1)::timestamp at time zone owner.timezone) / 3600 as hours
    from (
        select filled.tenant_id, max(filled.date) as date
        from (
            select tenant_id, date from {relation}
            union all
            select tenant_id, date from core.partition_state
            where model = {model} and rows > 0 and date <> all({days}::date[])
        ) as filled
        group by filled.tenant_id
    ) as newest
    join (select distinct tenant_id, timezone from {audited} as audited) as owner on owner.tenant_id = newest.tenant_id
) as aged
where aged.hours > {limit} and not {more_to_come}
"""
IS_NULL = "{column} is null"
NOT_AMONG = "{column} <> all ({values})"
BELOW = "{column} < {value}"
ABOVE = "{column} > {value}"
ROW_COUNT = "row_count"
"""A column of this name in a check's SELECT says how many broken rows a line of it stands for."""

_CANDIDATE = "takt_rows_under_audit"
_AUDITED = "takt_keys_under_audit"

# SQLAlchemy's text() takes `:word` for a parameter unless the colon is escaped.
_ESCAPED_COLON = r"\\:"
_PARAMETER_LIKE = re.compile(r"(?<![:\w\\]):(?=\w)")


@dataclass(frozen=True)
class Scope:
    """What is audited: the rows in `relation`, which are all there is of these tenants and dates, at a moment."""

    relation: str
    tenants: tuple[UUID, ...]
    days: tuple[date, ...]
    now: datetime
    more_to_come: bool = False
    """Whether the same run goes on to later dates, so that how fresh the model is cannot be said yet."""

    @classmethod
    def of(cls, relation: str, keys: Iterable[TenantDate], now: datetime, last: date | None = None) -> "Scope":
        """The scope of keys that are each tenant with each date; `last` is the last date of the whole run."""
        tenants, days = {key[0] for key in keys}, {key[1] for key in keys}
        more = last is not None and bool(days) and max(days) < last
        return cls(relation, tuple(sorted(tenants)), tuple(sorted(days)), now, more)


def locating(conn: psycopg.Connection, model: Model, rule: Rule, scope: Scope, *, sample: int, is_unique: bool) -> str:
    """The query that gives one row with everything that breaks the rule in the scope, and none when nothing does.

    It comes as great-expectations wants it: braces doubled, colons escaped. Its `{batch}` stands in a comment, as what
    is put there is a subquery or a name according to circumstances.
    """
    columns = {column.name for column in model.spec.columns}
    query = _broken(conn, model, rule, scope, is_unique=is_unique)
    if rule.kind == "broken_rows":
        _, selected = _parsed(rule.sql)
    elif rule.kind == "freshness":
        selected = frozenset({"tenant_id", "date"})
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
    """A check's SELECT for psycopg, with marks for what is under audit, and its columns; parsing takes milliseconds."""
    text = swap_relations(check.rstrip().rstrip(";"), {"candidate": _CANDIDATE, "audited": _AUDITED})
    return to_psycopg(text), frozenset(parse_query(text).named_selects)


def _broken(conn: psycopg.Connection, model: Model, rule: Rule, scope: Scope, *, is_unique: bool) -> sql.Composable:
    """A SELECT of the rows that break the rule."""
    relation = identifier(scope.relation)
    names = sql.SQL(", ").join(map(sql.Identifier, rule.columns))
    if rule.kind == "broken_rows":
        text = psycopg.ClientCursor(conn).mogrify(trusted(_parsed(rule.sql)[0]), {"now": scope.now})
        return trusted(text.replace(_CANDIDATE, scope.relation).replace(_AUDITED, _audited(scope).as_string(conn)))
    if rule.kind == "freshness":
        return sql.SQL(STALE).format(
            relation=relation,
            model=sql.Literal(model.relation),
            days=sql.Literal(list(scope.days)),
            now=sql.Literal(scope.now),
            limit=sql.Literal(rule.config["hours"]),
            audited=_audited(scope),
            more_to_come=sql.Literal(scope.more_to_come),
        )
    if rule.kind == "unique":
        return sql.SQL(REPEATED).format(
            relation=relation, columns=names, is_unique=sql.SQL("true" if is_unique else "false")
        )
    return sql.SQL(BROKEN_WHERE).format(relation=relation, predicate=_predicate(rule))


def _audited(scope: Scope) -> sql.Composable:
    return sql.SQL(AUDITED.strip()).format(days=sql.Literal(list(scope.days)), tenants=sql.Literal(list(scope.tenants)))


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
