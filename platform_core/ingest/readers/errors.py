"""What can go wrong with a source as a whole; a single bad row is a Rejection, never an exception.

IngestError
└── ReaderError              a source cannot be opened or read at all
    ├── UnreadableFileError  the file is missing, locked by a password, or not what its name says
    ├── SourceConfigError    the options of a reader contradict themselves or name an unset environment variable
    └── SourceUnavailableError  a service or database answers with an error after all retries
"""

from platform_core.ingest.errors import IngestError


class ReaderError(IngestError):
    """A source cannot be opened or read at all."""

    code = "ERR_INGEST_READER"
    http_status = 422


class UnreadableFileError(ReaderError):
    """A file is missing, protected by a password, or not of the format that its name or its mapping says."""

    code = "ERR_INGEST_UNREADABLE_FILE"


class SourceConfigError(ReaderError):
    """A reader's options contradict themselves, or name an environment variable that is not set."""

    code = "ERR_INGEST_SOURCE_CONFIG"


class SourceUnavailableError(ReaderError):
    """A service or database did not answer, or answered with an error, after all retries."""

    code = "ERR_INGEST_SOURCE_UNAVAILABLE"
    http_status = 502

    def __init__(self, message: str, *, hint: str | None = None, server_is_away: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.server_is_away = server_is_away
        """Whether nothing of that server answers, so that there is no use in asking it for anything else now."""
