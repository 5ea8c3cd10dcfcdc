"""Databases by SQLAlchemy: one SELECT in a read-only transaction, streamed by the server."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
import sqlglot
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool
from sqlglot import exp
from sqlglot.errors import SqlglotError

from platform_core.ingest.contracts import Rejection, SourceRow
from platform_core.ingest.readers.errors import SourceConfigError, SourceUnavailableError
from platform_core.ingest.readers.headers import leave_out_test
from platform_core.ingest.readers.json_reader import first_keys
from platform_core.ingest.readers.options import SqlDates, SqlIncremental, SqlOptions
from platform_core.ingest.readers.secrets import all_filled_in, filled_in
from platform_core.ingest.readers.text import storable, unreadable
from platform_core.ingest.readers.watermarks import as_mark, as_moment, gone_back, later

_DIALECTS = {"postgresql": "postgres", "mssql": "tsql", "mariadb": "mysql"}
_WRITES = (exp.Into, exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop)
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


class SqlReader:
    """The rows of one query or table, from `watermark` on where the options name a column.

    After the last row, `watermark` is the greatest value seen; store it only when everything read has landed.
    Raises SourceUnavailableError when the database refuses, SourceConfigError when the query is not one SELECT.
    """

    def __init__(self, options: SqlOptions, *, watermark: str | None = None) -> None:
        if not options.url:
            raise SourceConfigError("A SQL source needs `url`.")
        if (options.query is None) == (options.table is None):
            raise SourceConfigError("A SQL source needs exactly one of `query`, `table`.")
        self._options = options
        self._url = _url(filled_in(options.url))
        if options.query is not None:
            _check_query(options.query, self._url)
        self.watermark = watermark
        self.left_out = 0

    @property
    def name(self) -> str:
        """The database and the table, or the word `query`; never a secret."""
        place = f"{self._url.host or ''}/{self._url.database or ''}".lstrip("/")
        return f"{place} {self._options.table or 'query'}"

    def headers(self) -> list[str]:
        """The names of the columns."""
        return first_keys(self.rows())

    def rows(self) -> Iterator[SourceRow | Rejection]:
        """The rows in the order of the watermark column, numbered from 1."""
        self.left_out = 0
        left_out = leave_out_test(self._options.leave_out)
        column = self._options.incremental.column if self._options.incremental else None
        engine = self._engine()
        try:
            with engine.connect() as connection, closing(self._result(connection)) as result:
                names = list(result.keys())
                for number, values in enumerate(result, 1):
                    fields = {name: _plain(value) for name, value in zip(names, values, strict=True)}
                    if column is not None:
                        self.watermark = later(self.watermark, as_mark(fields.get(column)))
                    text = json.dumps(fields, ensure_ascii=False, default=str)
                    if not storable(text) or "\\u0000" in text:
                        yield unreadable(number, text, "A column holds characters that no text may hold.")
                    elif left_out and left_out(fields):
                        self.left_out += 1
                    else:
                        yield SourceRow(number, fields, text)
        except SQLAlchemyError as error:
            # Without a statement it is the connection that failed.
            away = isinstance(error, OperationalError) and error.statement is None
            message = f"{self.name} cannot be read: {_said(error, self._url)}."
            raise SourceUnavailableError(message, server_is_away=away) from error
        finally:
            engine.dispose()

    def _engine(self) -> Engine:
        arguments = all_filled_in(self._options.connect_args)
        try:
            engine = sa.create_engine(self._url, connect_args=arguments, poolclass=NullPool)
        except (ArgumentError, ImportError, TypeError) as error:
            raise SourceConfigError(f"{self.name}: no driver for this address: {error}.") from error
        if engine.dialect.name == "postgresql":
            return engine.execution_options(postgresql_readonly=True, isolation_level="REPEATABLE READ")
        event.listen(engine, "begin", _read_only)
        return engine

    def _result(self, connection: Connection) -> sa.CursorResult[Any]:
        options = self._options
        streamed = connection.execution_options(stream_results=True, max_row_buffer=options.fetch)
        return streamed.execute(self._statement())

    def _statement(self) -> sa.Select[Any]:
        options = self._options
        if options.query is not None:
            # On lines of its own, so that a comment at its end ends there; a colon would otherwise begin a parameter.
            query = options.query.strip().rstrip(";").replace(":", "\\:")
            rows = sa.text(f"(\n{query}\n) source")
        else:
            schema, _, table = (options.table or "").rpartition(".")
            rows = sa.table(table, schema=schema or None)
        everything: sa.ColumnClause[Any] = sa.literal_column("*")
        statement: sa.Select[Any] = sa.select(everything).select_from(rows)
        if options.dates is not None and options.between is not None:
            day: sa.ColumnClause[Any] = sa.column(options.dates.column)
            begin, end = (_day(one, options.dates, self._url) for one in options.between)
            return statement.where(day >= begin, day < end)
        incremental = options.incremental
        if incremental is None:
            return statement
        column: sa.ColumnClause[Any] = sa.column(incremental.column)
        mark = self.watermark or incremental.initial
        if mark is not None:
            bound = _bound(mark, incremental, text_only=self._url.get_backend_name() == "sqlite")
            # What has no value there would never be at or above the mark: read each time, it lands as unchanged.
            statement = statement.where(sa.or_(column >= bound, column.is_(None)))
        return statement.order_by(column)


def _read_only(connection: Connection) -> None:
    """Forbid writing for the transaction that begins, where the database knows how."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only = ON")
    elif connection.dialect.name in ("mysql", "mariadb", "oracle"):
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")


def _url(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise SourceConfigError("The source's `url` is no address of a database.") from error
    if url.drivername in _DRIVERS:
        return url.set(drivername=_DRIVERS[url.drivername])
    return url


def _check_query(query: str, url: URL) -> None:
    """Refuse anything but one SELECT: not every database can forbid writing."""
    dialect = url.get_backend_name()
    try:
        found = sqlglot.parse(query, read=_DIALECTS.get(dialect, dialect))
    except (SqlglotError, ValueError) as error:
        raise SourceConfigError(f"The source's query cannot be read: {str(error).splitlines()[0]}") from error
    if len(found) != 1 or not isinstance(found[0], exp.Query) or found[0].find(*_WRITES):
        raise SourceConfigError("The source's query must be one SELECT.")


def _bound(mark: str, incremental: SqlIncremental, *, text_only: bool) -> Any:
    if incremental.type == "number":
        number = Decimal(mark)
        return int(number) if number == number.to_integral_value() else number
    mark = gone_back(mark, incremental.overlap_minutes)
    # SQLite keeps times as text, in the form in which they came.
    if incremental.type == "timestamp" and not text_only:
        return as_moment(mark) or mark
    return mark


def _day(day: date, dates: SqlDates, url: URL) -> Any:
    """The beginning of a date, as the column's type compares with it; SQLite keeps dates and times as text."""
    if dates.type == "text":
        return day.strftime(dates.format)
    if url.get_backend_name() == "sqlite":
        return day.isoformat()
    return day if dates.type == "date" else datetime.combine(day, time())


def _plain(value: Any) -> Any:
    """A column's value as mappings understand it."""
    if value is None or isinstance(value, str | int | float | bool | datetime | date | time | timedelta | Decimal):
        return value
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict | list):
        return value  # pyright: ignore[reportUnknownVariableType]
    return str(value)


def _said(error: SQLAlchemyError, url: URL) -> str:
    """The database's own words, first line only, without the password should a driver repeat it."""
    text = str(getattr(error, "orig", None) or error).strip().splitlines()
    said = text[0] if text else type(error).__name__
    return said.replace(url.password, "***") if url.password else said
