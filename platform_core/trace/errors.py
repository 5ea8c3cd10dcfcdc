"""What can be wrong with a question about where a number came from.

TraceError
├── UnknownModelError     no model has that name
├── UnknownColumnError    the model has no such column
├── BadValueError         the value is not of the column's type
└── RowNotFoundError      the model has no such row
"""

from dbt_like_sql.errors import TaktError


class TraceError(TaktError):
    """A number cannot be traced."""

    code = "ERR_TRACE"
    http_status = 400


class UnknownModelError(TraceError):
    """No model has that name; the hint gives the nearest."""

    code = "ERR_TRACE_MODEL_UNKNOWN"
    http_status = 404


class UnknownColumnError(TraceError):
    """The model has no column of that name; the hint gives those it has."""

    code = "ERR_TRACE_COLUMN_UNKNOWN"


class BadValueError(TraceError):
    """A value to look for is not of its column's type."""

    code = "ERR_TRACE_VALUE_INVALID"


class RowNotFoundError(TraceError):
    """The model has no row with those values; the hint says what it has."""

    code = "ERR_TRACE_ROW_NOT_FOUND"
    http_status = 404
