"""Landing of dated records: identity, versions, dates that become dirty, and dates whose archive is sealed."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg

from dbt_like_sql.project import Project
from platform_core.crash_points import crash_point
from platform_core.ingest import versions
from platform_core.ingest.contracts import LoadRequest, Outcomes
from platform_core.ingest.record_types import RECORD_TYPES, staging_model
from platform_core.ingest.records import Batch
from platform_core.ingest.redate import BY_TIME, Redater
from platform_core.ingest.store import calendar, records
from platform_core.ingest.store.records import Arrival, Scope, Settled
from platform_core.ingest.versions import Repeated
from platform_core.warehouse.connection import Warehouse
from platform_core.warehouse.dirty import mark_dirty
from platform_core.warehouse.maintenance import ensure_partitions


class DatedLander:
    """Stores batches of one load into core.erp_mes_data, in transactions that landing opens and closes.

    `session` is a connection outside those, for what others must see at once.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        session: psycopg.Connection,
        project: Project,
        request: LoadRequest,
        load_id: UUID,
        now: datetime,
        *,
        first_date: date,
        fingerprint: str,
    ) -> None:
        self._warehouse, self._session, self._project = warehouse, session, project
        self._scope = Scope(request.tenant_id, request.record_type, request.source_system)
        first = request.first_arrived_at
        self._arrival = Arrival(now, load_id, None if first is None else records.microseconds(first))
        self._first_date, self._fingerprint = first_date, fingerprint
        self._calendar_moved = False
        self._first_batch = True
        self._months: set[date] = set()
        self._dirty: set[date] = set()
        self.dates: set[date] = set()

    def begin(self, conn: psycopg.Connection) -> None:
        """Wait for whoever changes lines and shifts, then for other loads of the same records."""
        records.lock_calendar(conn, self._scope.tenant, to_change=False)
        self._calendar_moved = calendar.fingerprint(conn, self._scope.tenant) != self._fingerprint
        records.lock_landing(conn, self._scope)
        records.prepare_incoming(conn)
        self._first_batch = True

    def store(self, conn: psycopg.Connection, batch: Batch) -> Outcomes:
        """Land one batch; returns how its rows ended."""
        self._ensure_partitions(batch)
        verdicts = self._settle_repeated(conn, batch)
        records.copy_incoming(conn, batch.text(verdicts), first=self._first_batch)
        self._first_batch = False
        crash_point("landing.after_copy", self._scope.record_type)
        outcomes = Outcomes()
        for settled in records.merge(conn, self._scope, self._arrival):
            _count(outcomes, settled)
            self._note_dates(settled)
        return outcomes

    def close(self, conn: psycopg.Connection) -> None:
        """Before the commit: mark what the rows change."""
        if self._calendar_moved:
            self._dirty |= self._redate(conn)
        mark_staging(conn, self._project, self._scope, self._dirty, reason=f"load {self._arrival.load_id}")
        self.dates |= self._dirty
        self._dirty = set()

    def _redate(self, conn: psycopg.Connection) -> set[date]:
        """Date this load's rows by the calendar as it is now; it changed after their dates were made."""
        kind = RECORD_TYPES[self._scope.record_type]
        new = calendar.load(conn, self._scope.tenant)
        if new is None or kind not in BY_TIME:
            return set()
        redater = Redater(self._warehouse, self._scope.tenant, new, self._first_date, self._arrival.received_at)
        return redater.redate(conn, kind, load_id=self._arrival.load_id)

    def _ensure_partitions(self, batch: Batch) -> None:
        """Partitions for the batch's dates, in a short transaction of its own: others who need one would wait for us.

        Sealed dates need one too: what comes late for them lands, and waits for the archive to be attached.
        """
        months = {day.replace(day=1) for day in batch.days}
        if not months <= self._months:
            with self._session.transaction():
                for month in sorted(months - self._months):
                    ensure_partitions(self._session, "core.erp_mes_data", month, month)
            self._months |= months

    def _settle_repeated(self, conn: psycopg.Connection, batch: Batch) -> Mapping[int, str]:
        """The verdict columns of records that come more than once in the batch, as if row by row in their order."""
        if not batch.repeated:
            return {}
        known = records.known(conn, self._scope, list(batch.repeated))
        arrival = records.microseconds(self._arrival.received_at)
        lines: dict[int, str] = {}
        for key, places in batch.repeated.items():
            rows = [(batch.versions[place], batch.hashes[place]) for place in places]
            first = self._arrival.first_arrival
            again = None if first is None else Repeated(first, [batch.numbers[place] for place in places])
            verdicts = versions.settle(known.get(key), rows, arrival, repeated=again)
            for place, verdict in zip(places, verdicts, strict=True):
                lines[place] = f"\t{verdict.outcome}\t{verdict.version}\t{'t' if verdict.last else 'f'}\n"
        return lines

    def _note_dates(self, settled: Settled) -> None:
        if settled.last:
            if not settled.sealed:
                self._dirty.add(settled.business_date)
            if settled.left_date is not None and not settled.left_sealed:
                self._dirty.add(settled.left_date)


def mark_staging(conn: psycopg.Connection, project: Project, scope: Scope, dates: set[date], *, reason: str) -> None:
    """Mark the staging model of these records dirty on the dates, and as far after them as it looks back."""
    relation = staging_model(scope.record_type)
    model = project.models.get(relation)
    lookback = model.spec.lookback_days if model is not None else 0
    mark_dirty(conn, scope.tenant, relation, dates, reason=reason, lookback_days=lookback)


def _count(outcomes: Outcomes, settled: Settled) -> None:
    name: Any = settled.outcome
    if settled.sealed and name in ("landed", "corrected"):
        name = "late_sealed"
    setattr(outcomes, name, getattr(outcomes, name) + settled.records)
