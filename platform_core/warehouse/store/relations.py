"""SQL that makes, changes, renames and drops the tables and views of models; never with CASCADE."""

from collections.abc import Mapping, Sequence
from hashlib import sha256

import psycopg
from psycopg import sql

from platform_core.warehouse.store.catalog import StoredIndex, column_list, trusted
from platform_core.warehouse.store.partitions import identifier, split

TABLE = "create table {name} ({columns}){partitioning}"
BY_DATE = " partition by range (date)"
VIEW = "create view {name} as select {columns} from ({query}) as model"
READER_MODEL = "create view {name} with (security_barrier) as select {columns} from ({query}) as model where {filter}"
READER = "create or replace view {name} with (security_barrier) as select {columns} from {relation} where {filter}"
MATERIALIZED = "create materialized view {name} as select {columns} from ({query}) as model"
INDEX = "create {unique} index {name} on {relation} ({columns})"
DROP_INDEX = "drop index {name}"
ADD_COLUMN = "alter table {name} add column {column}"
DROP_NOT_NULL = "alter table {name} alter column {column} drop not null"
DROP = {
    "r": "drop table {name}",
    "p": "drop table {name}",
    "v": "drop view {name}",
    "m": "drop materialized view {name}",
}
RENAME = {
    "r": "alter table {name} rename to {new}",
    "p": "alter table {name} rename to {new}",
    "v": "alter view {name} rename to {new}",
    "m": "alter materialized view {name} rename to {new}",
    "i": "alter index {name} rename to {new}",
}
# Writers wait, readers go on; the swap itself then takes the table for a moment.
LOCK = "lock table {name} in share row exclusive mode"
COPY = "insert into {new} ({columns}) select {values} from {old}"

SECURE = "alter table {name} enable row level security"
DROP_POLICY = "drop policy if exists tenant on {name}"
POLICY = "create policy tenant on {name} to takt_api using ({filter})"
REVOKE = "revoke all on {name} from public, takt_api"
GRANT = "grant select on {name} to takt_api"
COMMENT = {
    "r": "comment on table {name} is {text}",
    "p": "comment on table {name} is {text}",
    "v": "comment on view {name} is {text}",
    "m": "comment on materialized view {name} is {text}",
}
COMMENT_COLUMN = "comment on column {name}.{column} is {text}"

OF_TENANT = "tenant_id = (select core.current_tenant())"
OF_LINES = "((select core.visible_lines()) is null or line_code = any((select core.visible_lines())::text[]))"
ALL_LINES = "(select core.visible_lines()) is null"
ANY_TENANT = "(select core.current_tenant()) is not null"

NAME_BYTES = 63


def index_name(table: str, ending: str) -> str:
    """`<table>_<ending>`, kept within PostgreSQL's 63 bytes by a hash of what is cut off."""
    name = f"{table}_{ending}"
    if len(name) <= NAME_BYTES:
        return name
    return f"{name[: NAME_BYTES - 9]}_{sha256(name.encode()).hexdigest()[:8]}"


def row_filter(*, tenant: bool, line: bool, lineless_visible: bool) -> sql.SQL:
    """Which rows a session sees, given the model's columns and whether rows without a line show to everyone."""
    conditions = [OF_TENANT if tenant else ANY_TENANT]
    if line:
        conditions.append(OF_LINES)
    elif not lineless_visible:
        conditions.append(ALL_LINES)
    return trusted(" and ".join(conditions))


def create_table(
    conn: psycopg.Connection, relation: str, columns: Sequence[tuple[str, str, bool]], *, partitioned: bool
) -> None:
    """A table of (name, type, not null) columns, partitioned by range of `date` where asked."""
    partitioning = sql.SQL(BY_DATE if partitioned else "")
    conn.execute(
        sql.SQL(TABLE).format(name=identifier(relation), columns=column_list(columns), partitioning=partitioning)
    )


def _typed(columns: Sequence[tuple[str, str, bool]]) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL("model.{column}::{type} as {column}").format(column=sql.Identifier(name), type=trusted(kind))
        for name, kind, _ in columns
    )


def create_view(
    conn: psycopg.Connection,
    relation: str,
    columns: Sequence[tuple[str, str, bool]],
    query: str,
    *,
    visible: sql.SQL | None,
) -> None:
    """A view of a model's query; with `visible` it is a security-barrier view of those rows."""
    parts = {"name": identifier(relation), "columns": _typed(columns), "query": trusted(query)}
    if visible is None:
        conn.execute(sql.SQL(VIEW).format(**parts))
    else:
        conn.execute(sql.SQL(READER_MODEL).format(**parts, filter=visible))


def create_materialized(
    conn: psycopg.Connection, relation: str, columns: Sequence[tuple[str, str, bool]], query: str
) -> None:
    """A materialized view of a model's query, filled at once."""
    conn.execute(sql.SQL(MATERIALIZED).format(name=identifier(relation), columns=_typed(columns), query=trusted(query)))


def create_reader(conn: psycopg.Connection, view: str, relation: str, columns: Sequence[str], visible: sql.SQL) -> None:
    """The security-barrier view through which a model is read; replaces one with the same leading columns."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    parts = {"name": identifier(view), "relation": identifier(relation), "columns": names, "filter": visible}
    conn.execute(sql.SQL(READER).format(**parts))


def create_index(
    conn: psycopg.Connection, relation: str, name: str, columns: Sequence[str], *, unique: bool = False
) -> None:
    """An index on a table (and its partitions) or a materialized view."""
    parts = {
        "unique": sql.SQL("unique" if unique else ""),
        "name": sql.Identifier(name),
        "relation": identifier(relation),
        "columns": sql.SQL(", ").join(map(sql.Identifier, columns)),
    }
    conn.execute(sql.SQL(INDEX).format(**parts))


def drop_index(conn: psycopg.Connection, relation: str, index: StoredIndex) -> None:
    """An index that the contract no longer asks for."""
    conn.execute(sql.SQL(DROP_INDEX).format(name=sql.Identifier(split(relation)[0], index.name)))


def add_column(conn: psycopg.Connection, relation: str, column: tuple[str, str, bool]) -> None:
    """A new column, null in the rows that are there."""
    conn.execute(sql.SQL(ADD_COLUMN).format(name=identifier(relation), column=column_list([column])))


def drop_not_null(conn: psycopg.Connection, relation: str, column: str) -> None:
    """A column that may be null from now on."""
    conn.execute(sql.SQL(DROP_NOT_NULL).format(name=identifier(relation), column=sql.Identifier(column)))


def lock_against_writers(conn: psycopg.Connection, relation: str) -> None:
    """Hold off writers, not readers, until the transaction ends."""
    conn.execute(sql.SQL(LOCK).format(name=identifier(relation)))


def copy_rows(conn: psycopg.Connection, old: str, new: str, columns: Mapping[str, str]) -> None:
    """The old table's rows into the new one, each column cast to its new type (name -> type)."""
    parts = {
        "new": identifier(new),
        "old": identifier(old),
        "columns": sql.SQL(", ").join(map(sql.Identifier, columns)),
        "values": sql.SQL(", ").join(
            sql.SQL("{}::{}").format(sql.Identifier(name), trusted(kind)) for name, kind in columns.items()
        ),
    }
    conn.execute(sql.SQL(COPY).format(**parts))


def drop(conn: psycopg.Connection, relation: str, kind: str) -> None:
    """Drop a table or view by its relkind; refused by PostgreSQL while anything depends on it."""
    conn.execute(trusted(DROP[kind]).format(name=identifier(relation)))


def rename(conn: psycopg.Connection, relation: str, kind: str, new: str) -> None:
    """Give a table, view or index (`i`) a new bare name within its schema."""
    conn.execute(trusted(RENAME[kind]).format(name=identifier(relation), new=sql.Identifier(new)))


def secure(conn: psycopg.Connection, relation: str, visible: sql.SQL) -> None:
    """Row security on a table: its owner is not bound, the API's role sees only `visible` rows."""
    name = identifier(relation)
    conn.execute(sql.SQL(SECURE).format(name=name))
    conn.execute(sql.SQL(DROP_POLICY).format(name=name))
    conn.execute(sql.SQL(POLICY).format(name=name, filter=visible))


def revoke(conn: psycopg.Connection, relation: str) -> None:
    """Nobody but the owner reads what lies beneath the reader views."""
    conn.execute(sql.SQL(REVOKE).format(name=identifier(relation)))


def grant(conn: psycopg.Connection, view: str) -> None:
    """The API's role reads the reader view."""
    conn.execute(sql.SQL(GRANT).format(name=identifier(view)))


def comment(conn: psycopg.Connection, relation: str, kind: str, text: str, columns: Mapping[str, str]) -> None:
    """What the relation and its columns mean, for whoever looks with psql or a BI tool."""
    name = identifier(relation)
    conn.execute(trusted(COMMENT[kind]).format(name=name, text=sql.Literal(text)))
    for column, meaning in columns.items():
        parts = {"name": name, "column": sql.Identifier(column), "text": sql.Literal(meaning)}
        conn.execute(sql.SQL(COMMENT_COLUMN).format(**parts))
