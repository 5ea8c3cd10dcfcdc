"""What can be wrong with a question, and why an answer can be refused.

BiError
├── MetricNotFoundError     no metric has that name
├── DatasetNotFoundError    no dataset has that name
├── RequestInvalidError     the request cannot be understood or cannot be answered; the message says which part
│   └── DimensionNotSharedError   a metric's fact does not have a dimension that was asked for
├── PlanError               PostgreSQL refused what was planned
├── QueryTimeoutError       the statement took longer than it may
└── NotTrustedError         the answer would rest on data that is dirty, failed, missing or failed a check
"""

from dbt_like_sql.errors import TaktError


class BiError(TaktError):
    """A question cannot be answered."""

    code = "ERR_BI"
    http_status = 400


class MetricNotFoundError(BiError):
    """No metric has that name; the hint gives the nearest."""

    code = "ERR_BI_METRIC_NOT_FOUND"
    http_status = 404
    exit_code = 2


class DatasetNotFoundError(BiError):
    """No dataset has that name; the hint gives those there are."""

    code = "ERR_BI_DATASET_NOT_FOUND"
    http_status = 404
    exit_code = 2


class RequestInvalidError(BiError):
    """A part of the request cannot be understood or does not fit the others."""

    code = "ERR_BI_REQUEST_INVALID"
    exit_code = 2


class DimensionNotSharedError(RequestInvalidError):
    """A metric cannot be asked by that dimension; the hint says by which it can."""

    code = "ERR_BI_DIMENSION_NOT_SHARED"


class PlanError(BiError):
    """PostgreSQL refused the planned statement."""

    code = "ERR_BI_PLAN_FAILED"
    http_status = 500


class QueryTimeoutError(BiError):
    """The statement took longer than it may; a shorter range or fewer dimensions help."""

    code = "ERR_BI_QUERY_TIMEOUT"
    http_status = 504


class NotTrustedError(BiError):
    """A trusted answer was demanded, and what it would rest on is dirty, failed, missing or failed a check."""

    code = "ERR_BI_NOT_TRUSTED"
    http_status = 409
