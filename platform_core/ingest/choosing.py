"""Which files a caller means, and which mapping fits the headers of each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from glob import glob
from itertools import groupby
from pathlib import Path

from platform_core.ingest.errors import NoInputError, NoMappingError
from platform_core.ingest.mapping import Mapping, header_score, reader_options, source_fields
from platform_core.ingest.readers import FileOptions, TabularReader, open_reader

_TIE = 0.001
_WILD = frozenset("*?[")


@dataclass(frozen=True)
class InputFile:
    """A file to read; `asked` when the caller named it, not found in a folder or by a pattern."""

    path: Path
    asked: bool


@dataclass(frozen=True)
class Chosen:
    """One table (a file or sheet) and the mapping for it."""

    reader: TabularReader
    mapping: Mapping


def input_files(paths: Iterable[str | Path]) -> list[InputFile]:
    """The files that paths, folders and patterns mean, each once; raises NoInputError for one that means none."""
    found: dict[Path, InputFile] = {}
    for given in paths:
        path = Path(given)
        if path.is_file():
            some = [InputFile(path, asked=True)]
        elif path.is_dir():
            some = [InputFile(file, asked=False) for file in sorted(path.rglob("*")) if _is_data(file, path)]
        else:
            some = [InputFile(file, asked=False) for file in _matching(str(given))]
        if not some:
            raise NoInputError(
                f"There is nothing to read at {given}.",
                hint="Name a file, a folder with files, a pattern in quotes such as 'inbox/*.csv', or - for stdin.",
            )
        for one in some:
            found.setdefault(one.path, one)
    return list(found.values())


def _matching(pattern: str) -> list[Path]:
    if not _WILD & set(pattern):
        return []
    return sorted(path for path in map(Path, glob(pattern, recursive=True)) if path.is_file())


def _is_data(path: Path, folder: Path) -> bool:
    """A file that is no lock file of Excel and not hidden, itself or by a folder on the way to it."""
    names = path.relative_to(folder).parts
    return path.is_file() and not any(name.startswith((".", "~$")) for name in names)


def choose(path: Path, mappings: Sequence[Mapping]) -> list[Chosen]:
    """The tables of a file with the mapping that fits each best; sheets that none fits are left out.

    Raises NoMappingError when none fits at all, or two fit alike; ReaderError when the file cannot be read.
    """
    candidates = [mapping for mapping in mappings if isinstance(mapping.reader, FileOptions)]
    expected = tuple(dict.fromkeys(name for mapping in candidates for name in source_fields(mapping)))
    seen: list[list[str]] = []
    best: list[tuple[str, Mapping]] = []
    for reader in open_reader(path, FileOptions(expected=expected)):
        headers = reader.headers()
        mapping = _best(reader.name, headers, candidates)
        if mapping is not None:
            best.append((reader.name, mapping))
        seen.append(headers)
    if not best:
        columns = ", ".join(name for headers in seen for name in headers[:12]) or "none"
        raise NoMappingError(
            f"No mapping fits {path}; its columns are: {columns}.",
            hint=f"`takt ingest {path} --guess` proposes one; --mapping names one.",
        )
    chosen: list[Chosen] = []
    for _, group in groupby(best, key=lambda one: one[1].name):
        tables = list(group)
        chosen += opened(path, tables[0][1], names={name for name, _ in tables})
    return chosen


def opened(path: Path, mapping: Mapping, *, names: set[str] | None = None) -> list[Chosen]:
    """The tables of a file, read as the mapping says; `names` keeps only those."""
    readers = open_reader(path, reader_options(mapping))
    return [Chosen(reader, mapping) for reader in readers if names is None or reader.name in names]


def _best(name: str, headers: Sequence[str], candidates: Sequence[Mapping]) -> Mapping | None:
    ranked = sorted(((header_score(one, headers), one.name, one) for one in candidates), key=lambda rank: -rank[0])
    if not ranked or ranked[0][0] == 0:
        return None
    if len(ranked) > 1 and ranked[0][0] - ranked[1][0] < _TIE:
        raise NoMappingError(
            f"Both {ranked[0][1]} and {ranked[1][1]} fit the columns of {name}.", hint="Name one with --mapping."
        )
    return ranked[0][2]
