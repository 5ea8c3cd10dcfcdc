"""A tenant's configured sources: TAKT_HOME/tenants/<slug>/sources/<name>.yml, a mapping and where its rows are."""

from collections.abc import Mapping as Dict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import Field, TypeAdapter

from platform_core.ingest.errors import IngestError
from platform_core.ingest.mapping import Mapping, MappingError, find_mapping, source_fields
from platform_core.ingest.mapping.yaml_lines import parse_yaml, read_text, validate
from platform_core.ingest.readers import TabularReader, open_reader
from platform_core.ingest.readers.errors import SourceConfigError
from platform_core.ingest.readers.options import FileOptions, ReaderOptions, RestOptions, Strict
from platform_core.ingest.readers.secrets import filled_in
from platform_core.settings import Settings


class UnknownSourceError(IngestError):
    """The tenant has no source of that name."""

    code = "ERR_INGEST_UNKNOWN_SOURCE"
    http_status = 404


class SourceFile(Strict):
    """The form of a source's file."""

    description: str = ""
    mapping: str
    path: str | None = None
    """For files: a path, a folder or a pattern such as /data/mes/*.csv."""
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


def open_source(source: Source, *, watermark: str | None = None) -> list[TabularReader]:
    """The readers of a source, going on from `watermark`; raises ReaderError.

    A reader of an incremental source has `watermark` too: after its last row, the greatest value seen.
    """
    if isinstance(source.options, FileOptions):
        return [reader for path in source_files(source) for reader in open_reader(path, source.options)]
    return open_reader(None, source.options, watermark=watermark)


def source_files(source: Source) -> list[Path]:
    """The files of a source, by name; raises SourceConfigError when there is nothing at its path."""
    where = Path(filled_in(source.path or ""))
    if where.is_file():
        return [where]
    if where.is_dir():
        found = where.iterdir()
    else:
        found = Path(where.anchor or ".").glob(str(where.relative_to(where.anchor) if where.anchor else where))
    files = sorted(path for path in found if path.is_file() and not path.name.startswith((".", "~$")))
    if not files and not where.is_dir():
        raise SourceConfigError(f"The source {source.name} finds no file at {where}.")
    return files


def base_url(source: Source) -> str | None:
    """The address of a REST source, for a person to read; None for the others."""
    return source.options.url if isinstance(source.options, RestOptions) else None
