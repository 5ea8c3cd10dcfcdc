"""What can be wrong with the definitions of metrics.

MetricDefinitionError
└── ExpressionError      an expression is not of the small language that metrics are written in
"""

from dbt_like_sql.errors import TaktError


class MetricDefinitionError(TaktError):
    """A measure, dimension or metric is defined wrongly; the message names file and line."""

    code = "ERR_METRIC_DEFINITION_INVALID"
    http_status = 400


class ExpressionError(MetricDefinitionError):
    """An expression of a measure or metric cannot be understood or does not fit its columns."""

    code = "ERR_METRIC_EXPRESSION_INVALID"
