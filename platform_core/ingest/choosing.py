"""Which files a caller means, and which mapping fits the headers of each."""

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Dict
from dataclasses import dataclass, replace
from glob import glob
from itertools import groupby
from pathlib import Path

from platform_core.ingest.errors import NoInputError, NoMappingError
from platform_core.ingest.mapping import Mapping, Usable, header_score, reader_options, source_fields
from platform_core.ingest.overlooked import foreign, unread
from platform_core.ingest.readers import FileOptions, TabularReader, open_reader
from platform_core.ingest.readers.headers import folded

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
    notes: tuple[str, ...] = ()
    """What choosing the mapping left out: columns that it does not read, sheets that none fits."""


@dataclass(frozen=True)
class _Closest:
    """The mapping that a table would get, but for the columns that it would ignore."""

    mapping: Mapping
    score: float
    ignores: tuple[str, ...]


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
    """The tables of a file with the mapping that fits each best; sheets that none fits are left out and noted.

    Raises NoMappingError when none fits at all, or two fit alike; ReaderError when the file cannot be read.
    """
    candidates = [mapping for mapping in mappings if isinstance(mapping.reader, FileOptions)]
    expected = tuple(dict.fromkeys(name for mapping in candidates for name in source_fields(mapping)))
    best: dict[str, Mapping] = {}
    left: dict[str, _Closest | None] = {}
    headers: dict[str, list[str]] = {}
    for reader in open_reader(path, FileOptions(expected=expected)):
        headers[reader.name] = reader.headers()
        found = _best(reader.name, headers[reader.name], candidates)
        if isinstance(found, Mapping):
            best[reader.name] = found
        else:
            left[reader.name] = found
    if not best:
        raise _nothing_fits(path, headers, left)
    notes = [_left_sheet(name, why) for name, why in left.items()]
    chosen: list[Chosen] = []
    for mapping_name, group in groupby(best.items(), key=lambda one: one[1].name):
        del mapping_name
        tables = list(group)
        for one in opened(path, tables[0][1], names={name for name, _ in tables}):
            unused = unread(one.mapping, headers[one.reader.name])
            said = [f"Not read by {one.mapping.name}: {', '.join(unused)}."] if unused else []
            chosen.append(replace(one, notes=(*said, *notes)))
            notes = []
    return chosen


def choose_usable(path: Path, usable: Usable) -> list[Chosen]:
    """The same among the mappings that can be used; the error of a file that none fits names the broken ones."""
    try:
        return choose(path, usable.mappings)
    except NoMappingError as error:
        if not usable.broken:
            raise
        broken = ", ".join(file.name for file in usable.broken)
        raise NoMappingError(f"{error.message} Not looked at, being broken: {broken}.", hint=error.hint) from error


def _nothing_fits(path: Path, headers: Dict[str, list[str]], left: Dict[str, _Closest | None]) -> NoMappingError:
    guess = f"`takt ingest {path} --guess` proposes one"
    near = max((one for one in left.values() if one is not None), key=lambda one: one.score, default=None)
    if near is not None:
        # As the file spells them: readers write a name that some mapping knows as that mapping does.
        spelled = {folded(name): name for reader in open_reader(path) for name in reader.headers()}
        ignores = ", ".join(spelled.get(folded(name), name) for name in near.ignores)
        return NoMappingError(
            f"No mapping fits {path}: closest is {near.mapping.name}, which would ignore {ignores}.",
            hint=f"{guess}; `--mapping {near.mapping.name}` takes it all the same, and so does a mapping of your own "
            "that names these columns under `ignored`.",
        )
    columns = ", ".join(name for names in headers.values() for name in names[:12])
    if not columns:
        return NoMappingError(f"{path} is empty: it has no row with a text in it.", hint="Was it written to the end?")
    return NoMappingError(f"No mapping fits {path}; its columns are: {columns}.", hint=f"{guess}; --mapping names one.")


def _left_sheet(name: str, why: _Closest | None) -> str:
    if why is None:
        return f"{name} is not read: no mapping fits it."
    return f"{name} is not read: closest is {why.mapping.name}, which would ignore {', '.join(why.ignores)}."


def opened(path: Path, mapping: Mapping, *, names: set[str] | None = None) -> list[Chosen]:
    """The tables of a file, read as the mapping says; `names` keeps only those."""
    readers = open_reader(path, reader_options(mapping))
    return [Chosen(reader, mapping) for reader in readers if names is None or reader.name in names]


def _best(name: str, headers: Sequence[str], candidates: Sequence[Mapping]) -> Mapping | _Closest | None:
    """The mapping that fits best of those that ignore nothing that matters; else the best of the others."""
    scored = [(score, one) for one in candidates if (score := header_score(one, headers)) > 0]
    ranked = sorted(scored, key=lambda rank: -rank[0])
    ignores = {one.name: foreign(one.record_type, unread(one, headers)) for _, one in ranked}
    sound = [(score, one) for score, one in ranked if not ignores[one.name]]
    if not sound:
        return _Closest(ranked[0][1], ranked[0][0], ignores[ranked[0][1].name]) if ranked else None
    if len(sound) > 1 and sound[0][0] - sound[1][0] < _TIE:
        raise NoMappingError(
            f"Both {sound[0][1].name} and {sound[1][1].name} fit the columns of {name}.",
            hint="Name one with --mapping.",
        )
    return sound[0][1]
