"""Errors of the made-up factory."""

from dbt_like_sql.errors import TaktError


class FactoryError(TaktError):
    """A factory was asked for that can't be made."""

    code = "ERR_FACTORY_INVALID"
    http_status = 400
