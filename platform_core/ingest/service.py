"""Bringing records in: from files, from a configured source, from seeds; each table or pull is one load."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from collections.abc import Mapping as Mapping_
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from dbt_like_sql.errors import TaktError
from dbt_like_sql.project import Project
from platform_core.crash_points import crash_point
from platform_core.ingest.choosing import Chosen, InputFile, choose_usable, input_files, opened
from platform_core.ingest.contracts import LoadRequest, LoadResult, MappedRecord, Rejection, SourceRow
from platform_core.ingest.errors import NoMappingError
from platform_core.ingest.inbox import Handle, TakenFile
from platform_core.ingest.landing import land
from platform_core.ingest.mapping import Mapping, Usable, compile_mapping, find_mapping, load_mapping, usable_mappings
from platform_core.ingest.mapping.catalogue import SHIPPED
from platform_core.ingest.readers import TabularReader, open_reader
from platform_core.ingest.readers.delimited import DelimitedReader
from platform_core.ingest.record_types import RECORD_TYPES
from platform_core.ingest.reports import FailedSource, IngestReport, LoadedSource, SkippedSource, as_json
from platform_core.ingest.sources import find_source, open_source
from platform_core.ingest.store import loads as load_store
from platform_core.ingest.store import rejects as reject_store
from platform_core.ingest.watching import NOBODY, Record, Watcher
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.warehouse.connection import Warehouse, transaction
from platform_core.warehouse.errors import WarehouseError

STANDARD_INPUT = "standard input"
SEED_SYSTEM = "seed"
SEED_VERSION = 0
"""Below every version that a real source gives, so that shipped master data never wins over a plant's own."""


@dataclass(frozen=True)
class Ingest:
    """What every load of one call shares."""

    warehouse: Warehouse
    settings: Settings
    project: Project
    tenant: Tenant
    now: datetime
    strict: bool = False
    watcher: Watcher = NOBODY
    knows_files: bool = True
    """Whether a file that was read before counts as having come then; else everything in it comes now."""

    def load(self, chosen: Chosen, *, name: str | None = None) -> LoadedSource:
        """Land one table."""
        reader, mapping = chosen.reader, chosen.mapping
        source = name or reader.name
        request = LoadRequest(
            self.tenant.id,
            mapping.source_system,
            mapping.record_type,
            source,
            mapping.name,
            mapping.digest,
            strict=self.strict,
            columns=tuple(reader.headers()) if isinstance(reader, DelimitedReader) else None,
        )
        # What comes from elsewhere than a file can bring an older state again and mean it.
        digest = getattr(reader, "digest", None) if self.knows_files and source != STANDARD_INPUT else None
        if digest is not None:
            request = self._known_again(replace(request, file_digest=digest()))
        rows = mapped(reader, mapping, self.tenant)
        return LoadedSource(source, mapping.name, self.land(request, rows), reader.left_out, chosen.notes)

    def _known_again(self, request: LoadRequest) -> LoadRequest:
        with transaction(self.warehouse, read_only=True) as conn:
            return replace(request, first_arrived_at=load_store.first_arrival(conn, request))

    def land(
        self,
        request: LoadRequest,
        items: Iterable[MappedRecord | Rejection],
        *,
        retried: Mapping_[int, UUID] | None = None,
    ) -> LoadResult:
        """Land items as one load; `retried` names by row the rejects that are tried again.

        Rejects of the same records that are older than what is stored now go off the list.
        """
        self.watcher.advance(request.source_name, 0)
        result = land(
            self.warehouse,
            self.settings,
            self.project,
            replace(request, arrived_at=self.now),
            items,
            now=self.now,
            retried=retried,
            progress=lambda rows: self.watcher.advance(request.source_name, rows),
        )
        with transaction(self.warehouse) as conn:
            dated = RECORD_TYPES[request.record_type].dated
            reject_store.overtake(conn, result.load_id, request, dated=dated)
        return result

    def later(self, loads: int) -> "Ingest":
        """The same, some loads later: no two loads of a call come at the same moment, so the later one is newer."""
        return replace(self, now=self.now + timedelta(microseconds=loads))


def mapped(reader: TabularReader, mapping: Mapping, tenant: Tenant) -> Iterator[MappedRecord | Rejection]:
    """The rows of a reader through a mapping, as they are asked for."""
    map_row = compile_mapping(mapping, timezone=tenant.timezone)
    for row in reader.rows():
        yield map_row(row) if isinstance(row, SourceRow) else row


def ingest_files(
    ingest: Ingest, paths: Sequence[str | Path], *, mapping: str | None = None, stdin: BinaryIO | None = None
) -> IngestReport:
    """Land files, folders, patterns and `-` (what `stdin` gives), master data before the records that need it.

    Each table gets the mapping named, else the one that fits its headers. A file that fails does not stop the others;
    a file of a folder that no mapping fits is skipped, and so is a broken mapping. Raises NoInputError for a path that
    means nothing, MappingError when the mapping named is broken, WarehouseError when the database fails.
    """
    named = None if mapping is None else find_mapping(ingest.settings, ingest.tenant.slug, mapping)
    usable = Usable((named,), {}) if named is not None else usable_mappings(ingest.settings, ingest.tenant.slug)
    files = input_files(path for path in paths if str(path) != "-")
    with _kept(stdin if any(str(path) == "-" for path in paths) else None) as kept:
        names: dict[Path, str] = {}
        if kept is not None:
            files.append(InputFile(kept, asked=True))
            names[kept] = STANDARD_INPUT
        return _ingest_all(ingest, files, usable, names, named)


def _ingest_all(
    ingest: Ingest,
    files: Sequence[InputFile],
    usable: Usable,
    names: dict[Path, str],
    named: Mapping | None,
) -> IngestReport:
    record = Record(ingest.watcher)
    _tell_broken(record, usable)
    chosen: list[tuple[str | None, Chosen]] = []
    for file in files:
        shown = names.get(file.path, str(file.path))
        try:
            found = choose_usable(file.path, usable) if named is None else opened(file.path, named)
        except NoMappingError as error:
            record.end(FailedSource.of(shown, error) if file.asked else SkippedSource(shown, error.message))
        except TaktError as error:
            record.end(FailedSource.of(shown, error))
        else:
            chosen += [(names.get(file.path), one) for one in found]
    ingest.watcher.expect(len(chosen))
    for place, (name, one) in enumerate(sorted(chosen, key=lambda pair: pair[1].mapping.kind.dated)):
        try:
            record.end(ingest.later(place).load(one, name=name))
        except WarehouseError:
            raise
        except TaktError as error:
            record.end(FailedSource.of(name or one.reader.name, error))
    return record.report()


def _tell_broken(record: Record, usable: Usable) -> None:
    for path, error in usable.broken.items():
        record.end(SkippedSource(str(path), f"Warning: this mapping is broken, so no file gets it. {error.message}"))


@contextmanager
def _kept(stream: BinaryIO | None) -> Generator[Path | None]:
    """A stream that can be read once, as a file that can be read twice."""
    if stream is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="takt-") as folder:
        path = Path(folder) / "standard-input"
        with path.open("wb") as file:
            shutil.copyfileobj(stream, file, 1 << 20)
        yield path


def ingest_file(
    ingest: Ingest, path: Path, *, mapping: str | None = None, original: Path | None = None
) -> IngestReport:
    """Land one file, called by the name of `original` where it lies elsewhere while it is read.

    Raises NoMappingError, ReaderError, MappingError, StrictLoadError for what is wrong with the file.
    """
    slug = ingest.tenant.slug
    record = Record(ingest.watcher)
    if mapping is not None:
        found = opened(path, find_mapping(ingest.settings, slug, mapping))
    else:
        usable = usable_mappings(ingest.settings, slug)
        found = choose_usable(path, usable)
        _tell_broken(record, usable)
    names = [one.reader.name.replace(str(path), str(original or path), 1) for one in found]
    for place, one in enumerate(found):
        record.end(ingest.later(place).load(one, name=names[place]))
    return record.report()


def inbox_handler(ingest: Ingest, *, clock: Callable[[], datetime]) -> Handle:
    """What an inbox does with a file; a subfolder that is called like a mapping says which one its files need.

    The report of a file of which no row could be used has an `error`, as that of a file that could not be read.
    """
    usable = usable_mappings(ingest.settings, ingest.tenant.slug)
    known = {mapping.name for mapping in usable.mappings} | {path.stem for path in usable.broken}

    def handle(taken: TakenFile) -> Mapping_[str, Any]:
        mapping = taken.folder if taken.folder in known else None
        arrived = replace(ingest, now=clock())
        report = ingest_file(arrived, taken.path, mapping=mapping, original=taken.original)
        for one in report.failed:
            return {**as_json(report), "error": one.code, "message": one.message, "hint": one.hint}
        return as_json(report)

    return handle


def ingest_source(ingest: Ingest, name: str, *, dates: tuple[date, date] | None = None) -> IngestReport:
    """Land what a configured source gives: from where its last pull ended, or of `dates`, the first and the last.

    The watermark moves only when everything before it has landed; what is pulled twice lands as unchanged. A pull of
    dates leaves it where it is. Raises UnknownSourceError, NoDatesError, MappingError, ReaderError, and
    StrictLoadError for a strict pull.
    """
    source = find_source(ingest.settings, ingest.tenant.slug, name)
    tenant = ingest.tenant.id
    mark = None
    goes_on = source.incremental and dates is None
    if goes_on:
        with transaction(ingest.warehouse, read_only=True) as conn:
            mark = load_store.watermark(conn, tenant=tenant, source_name=source.name)
    record = Record(ingest.watcher)
    readers = open_source(source, watermark=mark, dates=dates)
    ingest.watcher.expect(len(readers))
    for place, reader in enumerate(readers):
        record.end(ingest.later(place).load(Chosen(reader, source.mapping)))
        seen = getattr(reader, "watermark", None)
        if goes_on and seen is not None and seen != mark:
            with transaction(ingest.warehouse) as conn:
                load_store.move_watermark(conn, tenant=tenant, source_name=source.name, watermark=str(seen))
                crash_point("watermark.before_commit", source.name)
            crash_point("watermark.after_commit", source.name)
    return record.report()


def rows_committed(ingest: Ingest, name: str) -> int:
    """The rows that this call's load of a source has stored so far, however it ended."""
    with transaction(ingest.warehouse, read_only=True) as conn:
        return load_store.rows_of_last(conn, tenant=ingest.tenant.id, source_name=name, since=ingest.now)


def load_seeds(
    warehouse: Warehouse,
    settings: Settings,
    project: Project,
    tenant: Tenant,
    folder: Path,
    *,
    now: datetime,
    version: int | None = SEED_VERSION,
) -> IngestReport:
    """Land the master data of a folder: `<record_type>.csv` in canonical names; what has landed is not read again.

    As seeds they lose against anything a real source says; `version=None` makes them arrive like any other file.
    """
    ingest = Ingest(warehouse, settings, project, tenant, now)
    loads: list[LoadedSource] = []
    for name in RECORD_TYPES:
        path = folder / f"{name}.csv"
        if path.is_file():
            mapping = load_mapping(SHIPPED / f"takt_{name}.yml")
            digest = hashlib.sha256(path.read_bytes() + mapping.digest.encode()).hexdigest()
            request = LoadRequest(tenant.id, SEED_SYSTEM, name, f"seed {path.name}", mapping.name, digest, strict=True)
            if not _has_landed(warehouse, request):
                (reader,) = open_reader(path, mapping.reader)
                rows = _with_version(mapped(reader, mapping, tenant), version)
                loads.append(LoadedSource(request.source_name, mapping.name, ingest.land(request, rows)))
    return IngestReport(tuple(loads))


def _with_version(items: Iterable[MappedRecord | Rejection], version: int | None) -> Iterator[MappedRecord | Rejection]:
    for item in items:
        yield item._replace(source_version=version) if isinstance(item, MappedRecord) else item


def _has_landed(warehouse: Warehouse, request: LoadRequest) -> bool:
    with transaction(warehouse, read_only=True) as conn:
        return load_store.has_landed(conn, request)
