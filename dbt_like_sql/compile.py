"""What is done to a model's SQL before a database sees it, always by parsing or tokens and never by regex."""

from collections.abc import Iterator, Mapping
from itertools import pairwise

from sqlglot import Expr, Token, TokenType, exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import ParseError, TokenError

from dbt_like_sql.contracts import Model
from dbt_like_sql.errors import ModelError

PARAMETERS = frozenset({"from_date", "to_date", "now"})
"""What a model's SQL may ask for: dates, both inclusive, and the moment that counts as now (timestamptz)."""

KNOWN_PARAMETERS = f"Known: {', '.join(f':{name}' for name in sorted(PARAMETERS))}."
_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Into, exp.Lock)


def parse_query(sql: str, *, where: str = "the query") -> exp.Query:
    """The one SELECT in `sql`; raises ModelError when it is not exactly one, or does more than read."""
    try:
        parsed = Postgres().parse(sql)
    except (ParseError, TokenError) as error:
        raise ModelError(f"{where}{_line_of(error)}: not readable as PostgreSQL: {_sentence(error)}.") from error
    statements = [
        statement for statement in parsed if statement is not None and not isinstance(statement, exp.Semicolon)
    ]
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        found = ", ".join(type(statement).__name__.upper() for statement in statements) or "nothing"
        raise ModelError(f"{where}: must hold exactly one SELECT, but holds {found}.")
    query = statements[0]
    if (writing := query.find(*_WRITES)) is not None:
        raise ModelError(f"{where}: must only read, but contains {type(writing).__name__.upper()}.")
    return query


def relations(query: exp.Query) -> tuple[exp.Table, ...]:
    """Every mention of a stored relation in the query: no CTE, no function in FROM."""
    ctes = {folded(cte.args["alias"].this) for cte in query.find_all(exp.CTE)}
    return tuple(
        table
        for table in query.find_all(exp.Table)
        if isinstance(table.this, exp.Identifier) and (table.db or folded(table.this) not in ctes)
    )


def name_of(table: exp.Table) -> str:
    """`schema.name`, or the bare name where the SQL gives no schema."""
    return f"{folded(table.args['db'])}.{folded(table.this)}" if table.db else folded(table.this)


def folded(identifier: Expr) -> str:
    """The name as PostgreSQL reads it: lower case unless quoted."""
    return identifier.name if identifier.args.get("quoted") else identifier.name.lower()


def columns(model: Model) -> tuple[str, ...]:
    """The output columns of the model's SELECT, in order; `*` for a star, '' for an expression without a name."""
    return tuple(output_name(projection) for projection in parse_query(model.sql, where=str(model.path)).selects)


def output_name(projection: Expr) -> str:
    """The column that an expression of a select list makes; `*` for a star, '' for one without a name."""
    if isinstance(projection, exp.Alias):
        return folded(projection.args["alias"])
    if isinstance(projection, exp.Column) and not isinstance(projection.this, exp.Star):
        return folded(projection.this)
    return "*" if projection.is_star else ""


def parameters(sql: str) -> frozenset[str]:
    """The names of the `:name` parameters in the SQL."""
    return frozenset(name.text for _, name in _placeholders(sql))


def to_psycopg(sql: str) -> str:
    """The same SQL for psycopg: `:name` becomes `%(name)s` and every other percent sign is doubled.

    Raises ModelError for a parameter outside PARAMETERS.
    """
    pieces: list[str] = []
    done = 0
    for colon, name in _placeholders(sql):
        if name.text not in PARAMETERS:
            known = ", ".join(f":{known}" for known in sorted(PARAMETERS))
            raise ModelError(
                f"the SQL asks for the parameter :{name.text}, which does not exist.", hint=f"Known: {known}."
            )
        pieces += [sql[done : colon.start].replace("%", "%%"), f"%({name.text})s"]
        done = name.end + 1
    return "".join([*pieces, sql[done:].replace("%", "%%")])


def swap_relations(sql: str, swaps: Mapping[str, str]) -> str:
    """The same SQL with each relation named in `swaps` (as `schema.name`) read from the relation given instead.

    Nothing else changes, not even layout. A relation without an alias keeps its name as one, so that columns
    qualified by it still resolve. The new names are put in as they stand: quote them where they need it.
    """
    query = parse_query(sql)
    edits: list[tuple[int, int, str]] = []
    for table in relations(query):
        if (other := swaps.get(name_of(table))) is not None:
            start, end = _span(table)
            edits.append((start, end, other if table.alias else f"{other} as {sql[table.this.meta['start'] : end]}"))
    for column in query.find_all(exp.Column):
        schema, table = column.args.get("db"), column.args.get("table")
        if schema is not None and table is not None and f"{folded(schema)}.{folded(table)}" in swaps:
            edits.append((schema.meta["start"], table.meta["start"], ""))
    for start, end, text in sorted(edits, reverse=True):
        sql = sql[:start] + text + sql[end:]
    return sql


def _span(table: exp.Table) -> tuple[int, int]:
    first = table.args.get("db") or table.this
    return first.meta["start"], table.this.meta["end"] + 1


def _placeholders(sql: str) -> Iterator[tuple[Token, Token]]:
    """The colon and name of each parameter, as psql reads them: nothing between the two."""
    tokens = Postgres().tokenize(sql)
    for colon, name in pairwise(tokens):
        if colon.token_type == TokenType.COLON and name.start == colon.end + 1 and name.text.isidentifier():
            yield colon, name


def _line_of(error: ParseError | TokenError) -> str:
    details = getattr(error, "errors", None)
    line = details[0].get("line") if details else None
    return f":{line}" if line else ""


def _sentence(error: ParseError | TokenError) -> str:
    details = getattr(error, "errors", None)
    if not details:
        return str(error).splitlines()[0].rstrip(".")
    near = f" near {details[0].get('highlight')!r}" if details[0].get("highlight") else ""
    return f"{str(details[0].get('description')).rstrip('.')}{near}"
