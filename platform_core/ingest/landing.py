"""`land`: rows that a mapping made become stored records, each with exactly one outcome.

Python prepares batches while a second thread copies and merges the one before, so the server and we work at the same
time. A load commits every COMMIT_ROWS rows, an ordinary file thus all at once: what is committed is whole with its
counts, its rejected rows and its dirty marks, and after a crash the same file again changes only what is missing.
"""

import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import date, datetime
from threading import Lock
from time import monotonic
from types import TracebackType
from typing import Protocol, Self
from uuid import UUID

import psycopg

from dbt_like_sql.project import Project
from platform_core.crash_points import crash_point
from platform_core.ingest.contracts import LoadRequest, LoadResult, MappedRecord, Outcomes, Rejection
from platform_core.ingest.dated import DatedLander
from platform_core.ingest.errors import StrictLoadError, UnknownRecordTypeError, UnknownTenantError
from platform_core.ingest.loads import OpenLoad
from platform_core.ingest.master import MasterLander
from platform_core.ingest.record_types import RECORD_TYPES
from platform_core.ingest.records import Batch, Preparer, batches
from platform_core.ingest.store import calendar as calendar_store
from platform_core.ingest.store import loads as load_store
from platform_core.ingest.store import rejects as reject_store
from platform_core.settings import Settings
from platform_core.warehouse.connection import Warehouse, autocommit, transaction

BATCH_ROWS = 10_000
"""Rows prepared while the batch before is merged: some 0.15 seconds of either, in which the other has to wait."""
COMMIT_ROWS = 200_000
"""Rows of one transaction. Loads of the same records wait for each other that long, some seconds."""
_AHEAD = 2
"""Batches that may wait for the database."""
SLOW_SECONDS = 5.0
"""A source that takes this long for one batch (a service, page by page) commits each, and lets others in between."""
_SHOWN = 5

Progress = Callable[[int], None]
"""Called with the number of rows that the load has dealt with so far."""


class _ShortTurns:
    """While anyone lands: threads take turns fifty times as often.

    The writing thread mostly waits for the server and needs the interpreter for an instant each time; at the usual 5 ms
    for which the preparing thread keeps it, the waiting takes longer than the writing. At 0.5 ms 100,000 rows still
    took 3.0 s, as the server idled between the pieces of a COPY; at 0.1 ms and below they take 1.9 s.
    """

    _SECONDS = 0.0001

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._usual = 0.0

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                self._usual = sys.getswitchinterval()
                sys.setswitchinterval(min(self._usual, self._SECONDS))
            self._users += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                sys.setswitchinterval(self._usual)


_short_turns = _ShortTurns()


class Lander(Protocol):
    """How one kind of record is stored, inside transactions that the caller opens and closes."""

    dates: set[date]

    def begin(self, conn: psycopg.Connection) -> None:
        """First thing in a transaction."""
        ...

    def store(self, conn: psycopg.Connection, batch: Batch) -> Outcomes:
        """Store one batch; rejected rows are not its business."""
        ...

    def close(self, conn: psycopg.Connection) -> None:
        """Last thing before the commit."""
        ...


def land(
    warehouse: Warehouse,
    settings: Settings,
    project: Project,
    request: LoadRequest,
    items: Iterable[MappedRecord | Rejection],
    *,
    now: datetime,
    progress: Progress | None = None,
    retried: Mapping[int, UUID] | None = None,
) -> LoadResult:
    """Land the rows of one file, sheet or pull as one load, and report it.

    `now` is the moment of arrival. `retried` names, by row number, the rejects that are being tried again. Raises
    StrictLoadError when the request is strict and a row cannot be used; then nothing lands.
    """
    kind = RECORD_TYPES.get(request.record_type)
    if kind is None:
        raise UnknownRecordTypeError(
            f"There is no record type {request.record_type!r}.", hint=f"There are: {', '.join(RECORD_TYPES)}."
        )
    with autocommit(warehouse) as session:
        # The fingerprint first: a change between the two is noticed, and the records are dated anew.
        fingerprint = calendar_store.fingerprint(session, request.tenant_id)
        calendar = calendar_store.load(session, request.tenant_id)
        if calendar is None:
            message = f"There is no tenant {request.tenant_id}."
            raise UnknownTenantError(message, hint="`takt init` makes the first one.")
        preparer = Preparer(kind, calendar, first_date=settings.first_date, now=now)
        with OpenLoad(session, request) as load_id:
            lander: Lander
            if kind.dated:
                first_date = settings.first_date
                lander = DatedLander(
                    warehouse, session, project, request, load_id, now, first_date=first_date, fingerprint=fingerprint
                )
            else:
                lander = MasterLander(warehouse, settings, project, request, load_id=load_id, now=now)
            with _Writer(warehouse, request, load_id, lander, retried or {}) as writer:
                _pump(batches(items, preparer, size=BATCH_ROWS), writer, progress)
                return writer.finish(tuple(preparer.warnings()))


def _pump(prepared: Iterable[Batch], writer: "_Writer", progress: Progress | None) -> None:
    """Let another thread write what this one prepares; an error of either ends both."""
    done = 0

    def wait_for(written: Future[int]) -> None:
        nonlocal done
        done += written.result()
        if progress is not None:
            progress(done)

    with _short_turns, ThreadPoolExecutor(max_workers=1, thread_name_prefix="takt-landing") as worker:
        pending: deque[Future[int]] = deque()
        asked = monotonic()
        for batch in prepared:
            slow = monotonic() - asked > SLOW_SECONDS
            pending.append(worker.submit(writer.write, batch, commit=slow))
            if len(pending) > _AHEAD:
                wait_for(pending.popleft())
            asked = monotonic()
        while pending:
            wait_for(pending.popleft())


class _Writer:
    """The transactions of one load. Left by an error it takes back what is not committed."""

    def __init__(
        self,
        warehouse: Warehouse,
        request: LoadRequest,
        load_id: UUID,
        lander: Lander,
        retried: Mapping[int, UUID],
    ) -> None:
        self._warehouse, self._request, self._load_id = warehouse, request, load_id
        self._lander, self._retried = lander, retried
        self._unit: AbstractContextManager[psycopg.Connection] | None = None
        self._conn: psycopg.Connection | None = None
        self._rows = 0
        self._total = Outcomes()
        self._by_code: dict[str, int] = {}
        self._refused: list[Rejection] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._unit is not None:
            unit, self._unit, self._conn = self._unit, None, None
            unit.__exit__(kind, error, traceback)

    def write(self, batch: Batch, *, commit: bool = False) -> int:
        """Store a batch, commit when enough has gathered or the source is slow; returns the rows dealt with."""
        for one in batch.rejections:
            self._by_code[one.code] = self._by_code.get(one.code, 0) + 1
        if self._request.strict:
            self._refused += batch.rejections
            if self._refused:  # nothing will land: go on only to name every bad row
                return batch.rows
        conn = self._open()
        outcomes = self._lander.store(conn, batch) if batch.lines else Outcomes()
        outcomes.rejected = len(batch.rejections)
        self._keep_rejections(conn, batch)
        load_store.count(conn, self._load_id, outcomes)
        self._total = Outcomes(**{name: value + getattr(outcomes, name) for name, value in asdict(self._total).items()})
        self._rows += batch.rows
        if (commit or self._rows >= COMMIT_ROWS) and not self._request.strict:
            self._commit()
        return batch.rows

    def finish(self, warnings: tuple[str, ...]) -> LoadResult:
        """End the load well, with its last rows, and report it; raises StrictLoadError instead of landing a part."""
        if self._refused:
            self._refuse()
        load_store.finish(self._open(), self._load_id, list(warnings))
        self._commit()
        return LoadResult(
            self._load_id,
            self._request,
            self._total,
            tuple(sorted(self._lander.dates)),
            dict(sorted(self._by_code.items())),
            warnings,
        )

    def _open(self) -> psycopg.Connection:
        if self._conn is None:
            self._unit = transaction(self._warehouse)
            self._conn = self._unit.__enter__()
            self._lander.begin(self._conn)
        return self._conn

    def _commit(self) -> None:
        self._lander.close(self._open())
        crash_point("landing.before_commit", self._request.record_type)
        unit, self._unit, self._conn, self._rows = self._unit, None, None, 0
        if unit is not None:
            unit.__exit__(None, None, None)
        crash_point("landing.after_commit", self._request.record_type)

    def _keep_rejections(self, conn: psycopg.Connection, batch: Batch) -> None:
        again = [one for one in batch.rejections if one.number in self._retried]
        if again:
            reject_store.stay(conn, self._request, [self._retried[one.number] for one in again], again)
        new = [one for one in batch.rejections if one.number not in self._retried]
        if new:
            reject_store.insert(conn, self._load_id, self._request, new, dismissed=False)
        if self._retried:
            ids = [self._retried[number] for number in batch.numbers if number in self._retried]
            reject_store.resolve(conn, self._load_id, ids)

    def _refuse(self) -> None:
        """Take everything back, keep the refused rows where they can be looked at, and say so."""
        if self._unit is not None:
            unit, self._unit, self._conn = self._unit, None, None
            error = StrictLoadError("refused")
            unit.__exit__(StrictLoadError, error, None)
        with transaction(self._warehouse) as conn:
            reject_store.insert(conn, self._load_id, self._request, self._refused, dismissed=True)
            load_store.count(conn, self._load_id, Outcomes(rejected=len(self._refused)))
        shown = "; ".join(f"line {one.number}: {one.code}, {one.message}" for one in self._refused[:_SHOWN])
        more = len(self._refused) - _SHOWN
        raise StrictLoadError(
            f"{len(self._refused)} rows of {self._request.source_name} cannot be used, so nothing of it landed. "
            f"{shown}{f'; and {more} more' if more > 0 else ''}.",
            hint=f"Mend the source and load it again; `takt rejects list --load {self._load_id}` shows every one.",
        )
