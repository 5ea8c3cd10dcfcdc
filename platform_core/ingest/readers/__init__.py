"""Readers: files, REST services and databases as rows, one by one; a row that cannot be read is a Rejection."""

from platform_core.ingest.readers.errors import (
    ReaderError,
    SourceConfigError,
    SourceUnavailableError,
    UnreadableFileError,
)
from platform_core.ingest.readers.opening import TabularReader, file_format, open_reader
from platform_core.ingest.readers.options import FileOptions, ReaderOptions, RestOptions, SqlOptions

__all__ = [
    "FileOptions",
    "ReaderError",
    "ReaderOptions",
    "RestOptions",
    "SourceConfigError",
    "SourceUnavailableError",
    "SqlOptions",
    "TabularReader",
    "UnreadableFileError",
    "file_format",
    "open_reader",
]
