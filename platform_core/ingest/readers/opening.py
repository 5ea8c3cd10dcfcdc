"""The one way to open a source: what it is, is found from its options, else from its bytes."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, TextIO

from platform_core.ingest.contracts import Rejection, SourceRow
from platform_core.ingest.readers.delimited import DelimitedReader
from platform_core.ingest.readers.errors import SourceConfigError, UnreadableFileError
from platform_core.ingest.readers.json_reader import JsonLinesReader, JsonReader, envelope_array, parse_record
from platform_core.ingest.readers.options import FileOptions, RestOptions, SqlOptions
from platform_core.ingest.readers.text import ByteSource, open_text

Format = Literal["csv", "json_lines", "json", "excel"]
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
NO_TABLES = {
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture (PNG)",
    b"\xff\xd8\xff": "a picture (JPEG)",
    b"GIF8": "a picture (GIF)",
    b"\x1f\x8b\x08": "a compressed file (gzip)",
    b"7z\xbc\xaf": "a compressed file (7z)",
    b"Rar!": "a compressed file (RAR)",
    b"{\\rtf": "a document (RTF)",
}
"""First bytes of what people send by the name of a table."""
_WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
_LOOK_AT_LINES = 50
_LINE_LIMIT = 1 << 20


class TabularReader(Protocol):
    """A reader (contracts.Reader) that also tells its columns, so that a mapping can be chosen or proposed."""

    left_out: int
    """Rows that the options left out, counted while reading; they are not records and have no outcome."""

    @property
    def name(self) -> str:
        """What `core.load.source_name` records."""
        ...

    def headers(self) -> list[str]:
        """The names of the columns, or the keys of the first record."""
        ...

    def rows(self) -> Iterable[SourceRow | Rejection]:
        """The rows from first to last."""
        ...


def open_reader(
    source: Path | str | BinaryIO | None,
    options: FileOptions | RestOptions | SqlOptions | None = None,
    *,
    name: str = "standard input",
    watermark: str | None = None,
) -> list[TabularReader]:
    """One reader for each file, sheet or resource that a source holds.

    `source` is a path or a binary stream (called `name`); None for REST and SQL, whose options say where they are,
    and whose pull goes on from `watermark`. Raises ReaderError when there is nothing that can be read.
    """
    if isinstance(options, RestOptions):
        from platform_core.ingest.readers.rest import RestReader

        return [RestReader(options, watermark=watermark)]
    if isinstance(options, SqlOptions):
        from platform_core.ingest.readers.sql import SqlReader

        return [SqlReader(options, watermark=watermark)]
    if source is None:
        raise SourceConfigError("A file reader needs a file.")
    found = _byte_source(source, name)
    return _open_file(found, options or FileOptions())


def _byte_source(source: Path | str | BinaryIO, name: str) -> ByteSource:
    if isinstance(source, str | Path):
        path = Path(source)
        if not path.is_file():
            raise UnreadableFileError(f"{path} is not a file.")
        return ByteSource.of_path(path)
    return ByteSource.of_stream(source, name)


def _open_file(source: ByteSource, options: FileOptions) -> list[TabularReader]:
    if options.format == "auto":
        _refuse_no_table(source)
    kind = file_format(source, options)
    if kind == "excel":
        from platform_core.ingest.readers.excel import open_workbook

        return [*open_workbook(source, options)]
    if kind == "json_lines":
        return [JsonLinesReader(source, options)]
    if kind == "json":
        return [JsonReader(source, options)]
    return [DelimitedReader(source, options)]


def _refuse_no_table(source: ByteSource) -> None:
    """Raise UnreadableFileError for what by its first bytes is no table, and for a workbook without a byte.

    An empty file of text is a table without rows.
    """
    with source.open() as stream:
        head = stream.read(8)
    is_workbook = source.name.lower().endswith(_WORKBOOKS)
    if is_workbook and not head:
        raise UnreadableFileError(f"{source.name} is empty: it has no byte.", hint="Was it written to the end?")
    wanted = "an Excel file" if is_workbook else "a table"
    for begin, kind in NO_TABLES.items():
        if head.startswith(begin):
            raise UnreadableFileError(
                f"{source.name} is {kind}, not {wanted}, whatever its name says.",
                hint="Export the table itself, as CSV or Excel.",
            )


def file_format(source: ByteSource, options: FileOptions) -> Format:
    """What a file is, by its options, else by its first bytes; its name does not count."""
    if options.format != "auto":
        return options.format
    with source.open() as stream:
        head = stream.read(8)
    if head.startswith((_ZIP, _OLE)):
        return "excel"
    with open_text(source, options.encoding) as text:
        lines = [line for line in _some_lines(text) if line.strip("\ufeff \t\r\n")]
    begin = lines[0].lstrip("\ufeff \t")[:1] if lines else ""
    if begin == "{" and options.records is None:
        return "json_lines" if _are_records(lines) else "json"
    return "json" if begin in ("[", "{") else "csv"


def _some_lines(text: TextIO) -> Iterator[str]:
    for _ in range(_LOOK_AT_LINES):
        line = text.readline(_LINE_LIMIT)
        if not line:
            return
        yield line


def _are_records(lines: list[str]) -> bool:
    """Whether a text that starts like an object is JSON Lines; one broken line must not make it one document."""
    if len(lines) == 1:
        only = parse_record(lines[0])
        return isinstance(only, str) or envelope_array(only) is None
    whole = [isinstance(parse_record(line), dict) for line in lines]
    opens_only = lines[0].rstrip().endswith(("{", "[", ","))
    return whole[0] or sum(whole) > 1 or not opens_only
