"""What the SQL of a check may say; each function returns a complaint or None."""

from collections.abc import Collection, Mapping, Sequence

from sqlglot import exp

from dbt_like_sql.blocks import take_apart
from dbt_like_sql.compile import columns, folded, name_of, parameters, parse_query, relations
from dbt_like_sql.contracts import Model
from dbt_like_sql.errors import ModelError

GIVEN: Mapping[str, Sequence[str] | None] = {"candidate": None, "audited": ("tenant_id", "date", "timezone")}
"""Relations that only checks have, and their columns (None: those of the model)."""


def predicate_complaint(text: str, known: Collection[str]) -> str | None:
    """About a `where_broken`: it looks at one row of the model."""
    try:
        query = parse_query(f"select from candidate where {text}")
    except ModelError as error:
        return error.message
    if query.find(exp.Subquery, exp.Exists):
        return "where_broken looks at one row; with a subquery it is broken_rows"
    unknown = sorted({folded(column.this) for column in query.find_all(exp.Column)} - set(known))
    return f"names {', '.join(unknown)}, which the model does not select" if unknown else None


def rows_complaint(
    text: str, model: Model, catalog: Mapping[str, Sequence[str]], models: Collection[str]
) -> str | None:
    """About a `broken_rows`: it reads what checks may read and says whose rows, and of which date, are broken."""
    own = [column.name for column in model.spec.columns]
    try:
        query = parse_query(text)
        made = take_apart(query, {**catalog, **{name: list(names or own) for name, names in GIVEN.items()}})
    except ModelError as error:
        return error.message
    names = {name_of(table) for table in relations(query) if table.db != "pg_catalog"}
    if unknown := sorted(names - set(models) - set(GIVEN)):
        return f"reads {', '.join(unknown)}; it may read {', '.join(GIVEN)} and models"
    if dates := sorted(parameters(text) - {"now"}):
        return f"uses {', '.join(f':{name}' for name in dates)}; the dates under audit are in the relation audited"
    needed = ["tenant_id", *(["date"] if model.is_dated else [])]
    missing = [name for name in needed if name in columns(model) and name not in made.columns]
    return f"must return {', '.join(missing)}" if missing else None
