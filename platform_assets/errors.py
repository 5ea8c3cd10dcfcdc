"""What can be wrong about a request to run the assets.

AssetsError
├── DatesNotHeldError    the dates lie before the first production date or after today
├── UnknownAssetError    a selection names an asset that there is not
└── RunInterruptedError  somebody pressed Ctrl-C
"""

from dbt_like_sql.errors import TaktError


class AssetsError(TaktError):
    """A run of the assets cannot be asked for like that."""

    code = "ERR_ASSETS"
    http_status = 400


class DatesNotHeldError(AssetsError):
    """The dates are outside those that the warehouse holds."""

    code = "ERR_ASSETS_DATES"


class UnknownAssetError(AssetsError):
    """A selection matches no asset."""

    code = "ERR_ASSETS_UNKNOWN"


class RunInterruptedError(AssetsError):
    """A run was interrupted; what it had published by then stays."""

    code = "ERR_ASSETS_INTERRUPTED"
    exit_code = 130
