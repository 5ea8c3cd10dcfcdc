"""What can go wrong on the command line.

CommandError
├── AlreadyUpError     another `takt up` runs for this TAKT_HOME
├── ServiceDiedError   a process of `takt up` ended or never came up
├── OutputNotWritableError   an answer cannot be written to the file that was named
└── BrokenDefinitionsError   Dagster cannot load what platform_assets defines
"""

from dbt_like_sql.errors import TaktError


class CommandError(TaktError):
    """A command cannot do its work."""

    code = "ERR_CLI"


class AlreadyUpError(CommandError):
    """Another `takt up` runs for this TAKT_HOME."""

    code = "ERR_CLI_ALREADY_UP"


class ServiceDiedError(CommandError):
    """A process that `takt up` started has ended or never came up; the message carries the end of its log."""

    code = "ERR_CLI_SERVICE_DIED"


class BrokenDefinitionsError(CommandError):
    """Dagster cannot load the definitions, for example as a model's contract is wrong."""

    code = "ERR_CLI_DEFINITIONS"


class OutputNotWritableError(CommandError):
    """An answer cannot be written to the file that was named."""

    code = "ERR_CLI_OUTPUT"
    exit_code = 2
