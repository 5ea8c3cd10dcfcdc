"""Bytes to text: which encoding a file has, and how text that cannot be stored is kept for a person to read."""

import codecs
import hashlib
import io
import tempfile
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

from platform_core.ingest.contracts import Rejection
from platform_core.ingest.readers.errors import SourceConfigError, UnreadableFileError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it starts with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BLOCK = 1 << 20
_EVIDENCE_LINES = 2000
_IN_MEMORY = 8 << 20
TEXT_LIMIT = 1_000_000
"""Characters of original text kept with one rejection."""


@dataclass(frozen=True)
class ByteSource:
    """Bytes that can be read more than once: first to find out what they are, then to read them."""

    name: str
    open: Callable[[], BinaryIO]

    def digest(self, *how: str) -> str:
        """What tells these bytes, read in this way, from any others."""
        found = hashlib.blake2b(digest_size=16)
        with self.open() as stream:
            while block := stream.read(_BLOCK):
                found.update(block)
        for one in how:
            found.update(f"\0{one}".encode("utf-8", "surrogatepass"))
        return found.hexdigest()

    @staticmethod
    def of_path(path: Path) -> "ByteSource":
        """A file; raises UnreadableFileError when it cannot be opened."""

        def opener() -> BinaryIO:
            try:
                return path.open("rb")
            except OSError as error:
                raise UnreadableFileError(f"{path} cannot be opened: {error.strerror or error}.") from error

        return ByteSource(str(path), opener)

    @staticmethod
    def of_stream(stream: BinaryIO, name: str) -> "ByteSource":
        """A stream that can be read once (standard input): kept in memory up to 8 MiB, else in a temporary file."""
        head = stream.read(_IN_MEMORY)
        if len(head) < _IN_MEMORY:
            return ByteSource(name, lambda: io.BytesIO(head))
        with tempfile.NamedTemporaryFile(prefix="takt-", delete=False) as kept:
            kept.write(head)
            while block := stream.read(_BLOCK):
                kept.write(block)
        path = Path(kept.name)
        source = ByteSource(name, lambda: path.open("rb"))
        weakref.finalize(source, path.unlink, True)
        return source


def detect_encoding(source: ByteSource) -> str:
    """The encoding of a text file: its byte order mark, else UTF-8, CP949 or CP1252 by which reads the most lines.

    Counting lines, not the first fault, keeps one broken line from turning a whole UTF-8 file into CP949.
    """
    with source.open() as stream:
        head = stream.read(4096)
        for mark, name in _BOMS:
            if head.startswith(mark):
                return name
        wide = _utf16_without_mark(head)
        if wide:
            return wide
        return _by_lines(_non_ascii_lines(head, stream))


def _utf16_without_mark(head: bytes) -> str | None:
    if len(head) < 4 or head.count(0) < len(head) * 0.25:
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > 4 * even:
        return "utf-16-le"
    return "utf-16-be" if even > 4 * odd else None


def _non_ascii_lines(head: bytes, stream: BinaryIO) -> Iterable[bytes]:
    block = head + stream.readline()
    while block:
        if not block.isascii():
            yield from (line for line in block.splitlines() if not line.isascii())
        block = stream.read(_BLOCK) + stream.readline()


def _by_lines(lines: Iterable[bytes]) -> str:
    seen = utf8 = cp949 = 0
    for line in lines:
        seen += 1
        utf8 += _decodes(line, "utf-8")
        cp949 += _decodes(line, "cp949")
        if seen >= _EVIDENCE_LINES:
            break
    if utf8 >= cp949 and (utf8 or not seen):
        return "utf-8"
    return "cp949" if cp949 * 2 > seen else "cp1252"


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def open_text(source: ByteSource, encoding: str | None) -> TextIO:
    """The text of a source, line ends untouched; bytes outside the encoding become what `storable` refuses."""
    found = encoding or detect_encoding(source)
    try:
        codec = codecs.lookup(found).name
    except LookupError as error:
        raise SourceConfigError(f"{source.name}: no such encoding: {found}.") from error
    wide = codec.startswith(("utf-16", "utf-32"))
    # The wide codecs know no surrogateescape for bytes below 0x80; their faults become U+FFFD.
    errors = "replace" if wide else "surrogateescape"
    return io.TextIOWrapper(source.open(), encoding=found, errors=errors, newline="")


def storable(text: str) -> bool:
    """Whether PostgreSQL can keep this text: no NUL, no byte that the encoding did not know."""
    if "\x00" in text:
        return False
    if text.isascii():
        return True
    if "\ufffd" in text:
        return False
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def readable(text: str) -> str:
    """The same text with what cannot be stored written as an escape, and cut at TEXT_LIMIT characters."""
    if len(text) > TEXT_LIMIT:
        text = f"{text[:TEXT_LIMIT]} [{len(text) - TEXT_LIMIT} characters more]"
    if "\x00" in text:
        text = text.replace("\x00", "\\x00")
    if not text.isascii():
        text = "".join(_escape(c) if "\ud800" <= c <= "\udfff" else c for c in text)
    return text


def _escape(surrogate: str) -> str:
    code = ord(surrogate)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def unreadable(number: int, text: str, message: str) -> Rejection:
    """The rejection of a row that cannot even be read."""
    return Rejection(number, "UNREADABLE", None, None, message, readable(text.rstrip("\r\n")))
