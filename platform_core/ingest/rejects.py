"""Rows that could not be used: looking at them, dismissing them, trying them again once row or mapping is mended."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import psycopg

from dbt_like_sql.errors import TaktError
from platform_core.ingest.contracts import LoadRequest, MappedRecord, Rejection, SourceRow
from platform_core.ingest.errors import UnknownRejectError
from platform_core.ingest.mapping import Mapping as MappingFile
from platform_core.ingest.mapping import compile_mapping, find_mapping, reader_options
from platform_core.ingest.readers import FileOptions, open_reader
from platform_core.ingest.readers.json_reader import parse_record
from platform_core.ingest.record_types import stored_key
from platform_core.ingest.reports import FailedSource, IngestReport, LoadedSource, report_of
from platform_core.ingest.service import Ingest
from platform_core.ingest.store import rejects as store
from platform_core.ingest.store.records import microseconds
from platform_core.ingest.store.rejects import Choice, Reject
from platform_core.warehouse.connection import transaction
from platform_core.warehouse.errors import WarehouseError

__all__ = [
    "Choice",
    "Reject",
    "RejectList",
    "advice",
    "dismiss_rejects",
    "list_rejects",
    "retry_rejects",
    "show_reject",
]

_DELIMITERS = (",", ";", "\t", "|")
_ADVICE: Mapping[str, str] = {
    "MISSING_FIELD": "Fill the field in the source, or give it a default or a constant in the mapping.",
    "WRONG_TYPE": "Mend the value, or tell the mapping its type, format, unit or time zone.",
    "NEGATIVE": "Mend the value in the source; a reversal belongs in a correction of the record that it reverses.",
    "NOT_ALLOWED": "Add the value to `values` of the field in the mapping, or mend it in the source.",
    "TOTAL_MISMATCH": "Mend the quantities in the source; where it has two of them, compute the third in the mapping.",
    "END_BEFORE_START": "Mend the times in the source; where only times of day are given, check the mapping's date.",
    "BEFORE_FIRST_DATE": "Set TAKT_FIRST_DATE to an earlier date and retry, or dismiss it.",
    "IN_FUTURE": "Mend the date, or check the mapping's time zone and date format; else retry on that day.",
    "UNREADABLE": "Mend the line (`takt rejects retry ID --text ...`), or have the source send it again.",
    "NO_KEY": "Give the record its key in the source, or name other fields as `key` in the mapping.",
    "BAD_VERSION": "Mend the change time or sequence number, or take `version` out of the mapping.",
    "EXPRESSION_FAILED": "Mend the value that the expression needs, or the expression in the mapping.",
    "BAD_DETAILS": "Mend the entry in the list that the message names, in the source or the mapping.",
}


@dataclass(frozen=True)
class RejectList:
    """Some rejects, and how many there are for each reason."""

    rejects: tuple[Reject, ...]
    by_code: Mapping[str, int]


def advice(code: str) -> str:
    """What a person can do about a reason."""
    return _ADVICE.get(code, "Mend the row in the source and load it again, or mend its text and retry it.")


def list_rejects(conn: psycopg.Connection, tenant: UUID, choice: Choice, *, limit: int | None = 50) -> RejectList:
    """Rejects, the newest first, with the number for each reason over all of them."""
    return RejectList(tuple(store.chosen(conn, tenant, choice, limit=limit)), store.counts(conn, tenant, choice))


def show_reject(conn: psycopg.Connection, tenant: UUID, id_: str) -> Reject:
    """The one reject whose id begins so; raises UnknownRejectError."""
    found = store.chosen(conn, tenant, Choice(ids=(id_,), status=None), limit=2)
    if len(found) != 1:
        what = "is more than one reject" if found else "is no reject"
        raise UnknownRejectError(f"There {what} whose id begins with {id_}.", hint="`takt rejects list` shows them.")
    return found[0]


def dismiss_rejects(conn: psycopg.Connection, tenant: UUID, choice: Choice) -> int:
    """Take open rejects off the list for good; they stay stored. Returns how many."""
    return store.dismiss(conn, tenant, choice)


def retry_rejects(
    ingest: Ingest, choice: Choice, *, mapping: str | None = None, text: str | None = None
) -> IngestReport:
    """Read the original text of rejects through their mapping, or another, once more, and land what is sound now.

    `text` replaces the original of the one reject chosen. A reject whose row is stored becomes `retried`; the others
    stay open with their new reason. One load for each load that they came from, in the order in which those came, under
    the same source and row numbers. A row without a version counts as having come when it was rejected, not now: what
    has landed since then is newer.
    Raises UnknownRejectError when none is chosen, or `text` is given for more than one.
    """
    with transaction(ingest.warehouse, read_only=True) as conn:
        found = store.chosen(conn, ingest.tenant.id, choice, limit=None)
    if not found:
        raise UnknownRejectError("No open reject fits that choice.", hint="`takt rejects list` shows what is open.")
    if text is not None and len(found) != 1:
        raise UnknownRejectError(f"A text can replace one reject's, and {len(found)} are chosen.")
    groups = _by_load(found)
    ingest.watcher.expect(len(groups))
    ended: list[LoadedSource | FailedSource] = []
    for rejects in groups:
        try:
            ended.append(_retry(ingest, rejects, mapping or rejects[0].mapping_name, text))
        except WarehouseError:
            raise
        except TaktError as error:
            ended.append(FailedSource.of(rejects[0].source_name, error))
        ingest.watcher.end(ended[-1])
    return report_of(ended)


def _by_load(found: Sequence[Reject]) -> list[list[Reject]]:
    """The rejects of each load and mapping by row, the load that came first at the beginning."""
    groups: dict[tuple[UUID, str], list[Reject]] = {}
    for one in sorted(found, key=lambda one: (one.created_at, one.source_name, one.source_row)):
        groups.setdefault((one.load_id, one.mapping_name), []).append(one)
    return [sorted(group, key=lambda one: one.source_row) for group in groups.values()]


def _retry(ingest: Ingest, rejects: Sequence[Reject], mapping_name: str, text: str | None) -> LoadedSource:
    mapping = find_mapping(ingest.settings, ingest.tenant.slug, mapping_name)
    first = rejects[0]
    request = LoadRequest(
        ingest.tenant.id,
        mapping.source_system,
        mapping.record_type,
        first.source_name,
        mapping.name,
        mapping.digest,
        retry_of=first.load_id,
        columns=None if first.columns is None else tuple(first.columns),
    )
    items = _again(request, rejects, mapping, ingest, text)
    result = ingest.land(request, items, retried={one.source_row: one.id for one in rejects})
    return LoadedSource(first.source_name, mapping.name, result)


def _again(
    request: LoadRequest, rejects: Sequence[Reject], mapping: MappingFile, ingest: Ingest, text: str | None
) -> list[MappedRecord | Rejection]:
    map_row = compile_mapping(mapping, timezone=ingest.tenant.timezone)
    rows = [read_again(one, text if text is not None else one.original, mapping) for one in rejects]
    items = [map_row(row) if isinstance(row, SourceRow) else row for row in rows]
    keys = [_stored_key(mapping, item) for item in items if isinstance(item, MappedRecord)]
    with transaction(ingest.warehouse, read_only=True) as conn:
        stored = store.places(conn, request, keys, dated=mapping.kind.dated)
    return [
        _as_it_came(item, one, stored.get(_stored_key(mapping, item))) if isinstance(item, MappedRecord) else item
        for item, one in zip(items, rejects, strict=True)
    ]


def _stored_key(mapping: MappingFile, record: MappedRecord) -> str:
    """The key under which a record is stored: the mapping's, but of master data always that of the record type."""
    return record.source_pk if mapping.kind.dated else stored_key(mapping.kind, record.payload)


def _as_it_came(record: MappedRecord, reject: Reject, stored: tuple[int, int] | None) -> MappedRecord:
    """The record with the moment of its arrival as its version, where its source gives none."""
    if record.source_version is not None:
        return record
    version = microseconds(reject.created_at)
    # A later row of the same load, which has the same moment, is newer all the same.
    is_older = stored is not None and stored[0] == version and stored[1] > reject.source_row
    return record._replace(source_version=version - 1 if is_older else version)


def read_again(reject: Reject, text: str, mapping: MappingFile) -> SourceRow | Rejection:
    """The source row of a rejected text: a line with the columns of its file, else a JSON object."""
    if reject.columns is None:
        record = parse_record(text)
        if isinstance(record, str):
            return Rejection(reject.source_row, "UNREADABLE", None, None, record, text)
        return SourceRow(reject.source_row, record, text)
    options = reader_options(mapping)
    if not isinstance(options, FileOptions):
        options = FileOptions()
    update = {
        "format": "csv",
        "encoding": "utf-8",
        "columns": tuple(reject.columns),
        "delimiter": options.delimiter or _delimiter(text, len(reject.columns), options.quote),
        "leave_out": (),
    }
    stream = io.BytesIO(text.encode("utf-8", "backslashreplace"))
    (reader,) = open_reader(stream, options.model_copy(update=update), name=reject.source_name)
    rows = list(reader.rows())
    if len(rows) != 1:
        message = f"The text holds {len(rows)} rows where one is expected."
        return Rejection(reject.source_row, "UNREADABLE", None, None, message, text)
    (row,) = rows
    if isinstance(row, SourceRow):
        return SourceRow(reject.source_row, row.fields, text)
    return Rejection(reject.source_row, row.code, row.field, row.value, row.message, text)


def _delimiter(text: str, columns: int, quote: str) -> str:
    """The separator that cuts a line into as many cells as its file has columns."""
    for delimiter in _DELIMITERS:
        rows = list(csv.reader(io.StringIO(text), delimiter=delimiter, quotechar=quote))
        if rows and len(rows[0]) == columns:
            return delimiter
    return max(_DELIMITERS, key=text.count)
