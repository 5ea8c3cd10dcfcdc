"""What can go wrong while records come in.

IngestError
├── UnknownRecordTypeError   a load names a record type that does not exist
├── UnknownTenantError       a load names a tenant that does not exist
├── StrictLoadError          a strict load had rows that cannot be used; nothing of it landed
├── NothingUsableError       not one row of a file or sheet could be used
├── NoInputError             a path, pattern or folder holds nothing to read
├── NoMappingError           no mapping, or more than one, fits the headers of a file
└── UnknownRejectError       a reject that does not exist, or is no longer open, was named
"""

from dbt_like_sql.errors import TaktError


class IngestError(TaktError):
    """Something about records that come in."""

    code = "ERR_INGEST"
    http_status = 422


class UnknownRecordTypeError(IngestError):
    """No such record type."""

    code = "ERR_INGEST_RECORD_TYPE"


class UnknownTenantError(IngestError):
    """No such tenant."""

    code = "ERR_INGEST_TENANT"
    http_status = 404


class StrictLoadError(IngestError):
    """A strict load had rows that cannot be used; nothing of it landed."""

    code = "ERR_INGEST_STRICT"


class NothingUsableError(IngestError):
    """Not one row of a file, sheet or pull could be used; all are kept as rejected."""

    code = "ERR_INGEST_NOTHING_USABLE"


class NoInputError(IngestError):
    """Nothing to read where the caller pointed."""

    code = "ERR_INGEST_NO_INPUT"


class NoMappingError(IngestError):
    """No mapping, or more than one, fits a file."""

    code = "ERR_INGEST_NO_MAPPING"


class UnknownRejectError(IngestError):
    """A reject that does not exist, or is no longer open."""

    code = "ERR_INGEST_REJECT"
    http_status = 404
