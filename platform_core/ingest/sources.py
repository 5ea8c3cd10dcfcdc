"""A tenant's configured sources: TAKT_HOME/tenants/<slug>/sources/<name>.yml, a mapping and where its rows are."""

import re
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from pydantic import Field, TypeAdapter

from platform_core.ingest.errors import IngestError
from platform_core.ingest.mapping import Mapping, MappingError, find_mapping, source_fields
from platform_core.ingest.mapping.yaml_lines import parse_yaml, read_text, validate
from platform_core.ingest.readers import TabularReader, open_reader
from platform_core.ingest.readers.errors import SourceConfigError
from platform_core.ingest.readers.options import FileOptions, ReaderOptions, RestDates, RestOptions, SqlOptions, Strict
from platform_core.ingest.readers.secrets import filled_in
from platform_core.settings import Settings


class UnknownSourceError(IngestError):
    """The tenant has no source of that name."""

    code = "ERR_INGEST_UNKNOWN_SOURCE"
    http_status = 404


class NoDatesError(IngestError):
    """The source cannot be asked for production dates: it does not say by what."""

    code = "ERR_INGEST_NO_DATES"


class SourceFile(Strict):
    """The form of a source's file."""

    description: str = ""
    mapping: str
    path: str | None = None
    """For files: a path, a folder or a pattern such as /data/mes/*.csv or /data/mes/{date:%Y%m%d}.csv."""
    reader: dict[str, Any] = Field(default_factory=dict)
    """Reader options; they are laid over the mapping's."""


@dataclass(frozen=True)
class Source:
    """A configured source, ready to be opened."""

    name: str
    description: str
    mapping: Mapping
    options: ReaderOptions
    path: str | None

    @property
    def incremental(self) -> bool:
        """Whether a pull goes on from a watermark."""
        return not isinstance(self.options, FileOptions) and self.options.incremental is not None

    @property
    def has_dates(self) -> bool:
        """Whether it can be asked for production dates."""
        if isinstance(self.options, FileOptions):
            return _DATE_IN_PATH.search(self.path or "") is not None
        return self.options.dates is not None


_DATE_IN_PATH = re.compile(r"\{date(?::([^}]*))?\}")
_DAY = timedelta(days=1)
_FILE = TypeAdapter(SourceFile)
_OPTIONS: TypeAdapter[ReaderOptions] = TypeAdapter(ReaderOptions)


def source_folder(settings: Settings, tenant: str) -> Path:
    """Where a tenant (by slug) keeps its sources."""
    return settings.home / "tenants" / tenant / "sources"


def list_sources(settings: Settings, tenant: str) -> list[Source]:
    """All sources of a tenant, by name; raises MappingError that names file and line for a broken one."""
    return [_load(settings, tenant, path) for path in sorted(source_folder(settings, tenant).glob("*.yml"))]


def find_source(settings: Settings, tenant: str, name: str) -> Source:
    """One source; raises UnknownSourceError, or MappingError that names file and line."""
    folder = source_folder(settings, tenant)
    path = folder / f"{name}.yml"
    if Path(name).name != name or not path.is_file():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.yml"))) or "none"
        raise UnknownSourceError(f"There is no source `{name}`.", hint=f"There are: {known}.")
    return _load(settings, tenant, path)


def _load(settings: Settings, tenant: str, path: Path) -> Source:
    said, places = parse_yaml(read_text(path), _FILE, str(path))
    mapping = find_mapping(settings, tenant, said.mapping)
    merged = merge(mapping.reader.model_dump(exclude_unset=True), said.reader)
    inner = {place[1:]: line for place, line in places.items() if place[:1] == ("reader",)}
    options = validate(merged, _OPTIONS, str(path), {(): places.get(("reader",), 1), **inner})
    options = options.model_copy(update={"expected": source_fields(mapping)})
    if isinstance(options, FileOptions) and said.path is None:
        raise MappingError(f"{path}: a source of files needs `path`.")
    return Source(path.stem, said.description, mapping, options, said.path)


def merge(below: Dict[str, Any], above: Dict[str, Any]) -> dict[str, Any]:
    """The second laid over the first, keys of nested dicts one by one."""
    merged = dict(below)
    for key, value in above.items():
        other = merged.get(key)
        if isinstance(value, dict) and isinstance(other, dict):
            merged[key] = merge(cast("dict[str, Any]", other), cast("dict[str, Any]", value))
        else:
            merged[key] = value
    return merged


def open_source(
    source: Source, *, watermark: str | None = None, dates: tuple[date, date] | None = None
) -> list[TabularReader]:
    """The readers of a source, going on from `watermark`, or for the production dates from the first to the second.

    A reader of an incremental source has `watermark` too: after its last row, the greatest value seen. Raises
    ReaderError, and NoDatesError when dates are given and the source does not say by what.
    """
    if dates is not None and not source.has_dates:
        raise NoDatesError(
            f"The source {source.name} cannot be asked for dates: its rows are pulled as they come.",
            hint="Name the date: `dates` in its `reader`, or {date} in its `path`; docs/mappings.md shows how.",
        )
    if isinstance(source.options, FileOptions):
        return [reader for path in source_files(source, dates) for reader in open_reader(path, source.options)]
    options = source.options if dates is None else _of_dates(source.options, dates)
    return open_reader(None, options, watermark=watermark)


def _of_dates(options: RestOptions | SqlOptions, dates: tuple[date, date]) -> RestOptions | SqlOptions:
    """Options that ask for the dates and nothing else."""
    assert options.dates is not None
    margin = _DAY if options.dates.type == "timestamp" else timedelta()
    first, last = dates[0] - margin, dates[1] + margin
    if isinstance(options, SqlOptions):
        return options.model_copy(update={"incremental": None, "between": (first, last + _DAY)})
    assert isinstance(options.dates, RestDates)
    known = {"{from}": first, "{to}": last, "{after}": last + _DAY}
    params = dict(options.params)
    for name, text in options.dates.params.items():
        for place, day in known.items():
            text = text.replace(place, day.isoformat())
        params[name] = text
    return options.model_copy(update={"incremental": None, "params": params})


def source_files(source: Source, dates: tuple[date, date] | None = None) -> list[Path]:
    """The files of a source, of these dates only where they are given, by name; raises SourceConfigError for none."""
    patterns = _patterns(filled_in(source.path or ""), dates)
    files = sorted({path for where in patterns for path in _files_at(where)})
    if not files and not any(where.is_dir() for where in patterns):
        raise SourceConfigError(f"The source {source.name} finds no file at {', '.join(map(str, patterns))}.")
    return files


def _patterns(path: str, dates: tuple[date, date] | None) -> list[Path]:
    """The path with its {date} filled in: each of the dates, or whatever stands there."""
    if dates is None:
        return [Path(_DATE_IN_PATH.sub("*", path))]
    days = [dates[0] + n * _DAY for n in range((dates[1] - dates[0]).days + 1)]
    return [Path(_DATE_IN_PATH.sub(partial(_dated, day), path)) for day in days]


def _dated(day: date, place: re.Match[str]) -> str:
    return day.strftime(place[1] or "%Y-%m-%d")


def _files_at(where: Path) -> list[Path]:
    if where.is_file():
        return [where]
    if where.is_dir():
        found = where.iterdir()
    else:
        found = Path(where.anchor or ".").glob(str(where.relative_to(where.anchor) if where.anchor else where))
    return [path for path in found if path.is_file() and not path.name.startswith((".", "~$"))]


def server_of(source: Source) -> str | None:
    """The server that a source asks, as host and port, to tell whether two ask the same one; None for files.

    Raises SourceConfigError when its address names an unset environment variable.
    """
    if isinstance(source.options, FileOptions) or not source.options.url:
        return None
    address = filled_in(source.options.url)
    try:
        parts = urlsplit(address)
    except ValueError:  # a password that is no part of an address; the database's own parser may take it
        return None
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else None


def base_url(source: Source) -> str | None:
    """The address of a REST source, for a person to read; None for the others."""
    return source.options.url if isinstance(source.options, RestOptions) else None
