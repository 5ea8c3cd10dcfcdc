"""Carrying the rows of a table over into the one that replaces it."""

from datetime import date
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.errors import DataError, IntegrityError, SyntaxErrorOrAccessRuleViolation

from dbt_like_sql.contracts import Model
from platform_core.warehouse.errors import TableConflictError
from platform_core.warehouse.store import catalog, dirty, partitions, relations

RANGE: LiteralString = "select min(date), max(date) from {name}"
SEALED = """
select min(date) from core.partition_state as state
where model = %(model)s and rows > 0 and exists (
    select from core.archived_partition as archive
    where archive.attached_at is null and state.date between archive.first_date and archive.last_date
)
"""
FORGET_STATE = "delete from core.partition_state where model = %(model)s and state = 'published'"


def carry_over(conn: psycopg.Connection, model: Model, new: str, step: partitions.Step | None) -> bool:
    """Copy the rows of the model's table to its replacement `new`, so that readers keep the last good version.

    Where they cannot be carried over (a new column that is never null, a grain that they break) the replacement starts
    empty and its state is forgotten; that is refused when an archived month could then not be made anew.
    """
    relations.lock_against_writers(conn, model.relation)
    if step is not None:
        first, last = _range(conn, model.relation)
        if first is not None and last is not None:
            partitions.ensure(conn, new, first, last, step)
    there = {column.name for column in catalog.columns(conn, model.relation)}
    wanted = catalog.columns(conn, new)
    if all(column.name in there for column in wanted if column.not_null):
        columns = {column.name: column.type for column in wanted if column.name in there}
        try:
            with conn.transaction():
                relations.copy_rows(conn, model.relation, new, columns)
        except (IntegrityError, DataError, SyntaxErrorOrAccessRuleViolation):
            pass  # the old rows do not fit the new contract: they are made anew
        else:
            return True
    _refuse_to_lose_archived(conn, model)
    dirty.mark_code_change(conn, model.relation, model.digest, whatever=True)
    conn.execute(FORGET_STATE, {"model": model.relation})
    return False


def _range(conn: psycopg.Connection, relation: str) -> tuple[date | None, date | None]:
    row = conn.execute(sql.SQL(RANGE).format(name=partitions.identifier(relation))).fetchone()
    return row or (None, None)


def _refuse_to_lose_archived(conn: psycopg.Connection, model: Model) -> None:
    row = conn.execute(SEALED, {"model": model.relation}).fetchone()
    if row and row[0] is not None:
        raise TableConflictError(
            f"{model.relation} must be filled anew, but the raw rows of {row[0]} (at least) are archived.",
            hint="Attach the archives, run takt init again, and archive them afterwards.",
        )
