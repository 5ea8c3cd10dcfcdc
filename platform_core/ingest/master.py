"""Landing of master data, and what a change of it makes dirty: dimensions, facts made with it, records dated by it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg

from dbt_like_sql.contracts import Model
from dbt_like_sql.project import Project
from platform_core.crash_points import crash_point
from platform_core.ingest import versions
from platform_core.ingest.contracts import LoadRequest, Outcomes, Payload
from platform_core.ingest.dated import mark_staging
from platform_core.ingest.record_types import RECORD_TYPES
from platform_core.ingest.records import Batch
from platform_core.ingest.redate import BY_TIME, Redater
from platform_core.ingest.store import calendar as calendar_store
from platform_core.ingest.store import master as store
from platform_core.ingest.store import records
from platform_core.ingest.store.master import Fresh
from platform_core.ingest.store.records import Scope
from platform_core.ingest.versions import Known, Repeated
from platform_core.settings import Settings
from platform_core.warehouse.connection import Warehouse
from platform_core.warehouse.dirty import UNDATED, mark_dirty

_DATING: Mapping[str, frozenset[str]] = {
    "line": frozenset({"timezone", "plant_code"}),
    "shift": frozenset({"shift_code", "plant_code", "valid_from", "start_time", "end_time"}),
    "equipment": frozenset({"line_code"}),
}
"""Fields of master data that production dates depend on."""
_COLUMNS: Mapping[str, str] = {"shift_code": "shift"}
"""How a key field is called in facts, where it is called otherwise."""


@dataclass(frozen=True)
class Change:
    """One master record that is new or different: its payload now, and the names of the fields that differ."""

    payload: Payload
    fields: frozenset[str]


class MasterLander:
    """Stores master data of one load, in transactions that landing opens and closes."""

    def __init__(
        self,
        warehouse: Warehouse,
        settings: Settings,
        project: Project,
        request: LoadRequest,
        *,
        load_id: UUID,
        now: datetime,
    ) -> None:
        self._warehouse, self._settings, self._project, self._request = warehouse, settings, project, request
        self._load_id, self._now = load_id, now
        self._changes: list[Change] = []
        self.dates: set[date] = set()

    def begin(self, conn: psycopg.Connection) -> None:
        """Wait for landings that date records by what may change here, then for loads of the same master data."""
        if self._request.record_type in _DATING:
            records.lock_calendar(conn, self._request.tenant_id, to_change=True)
        store.lock(conn, self._request.tenant_id, self._request.record_type)

    def store(self, conn: psycopg.Connection, batch: Batch) -> Outcomes:
        """Land one batch, record by record in the order of its rows; returns how they ended."""
        crash_point("landing.after_copy", self._request.record_type)
        request = self._request
        stored = store.known(conn, request.tenant_id, request.record_type, list(batch.places))
        outcomes = Outcomes()
        fresh: list[Fresh] = []
        for key, first in batch.places.items():
            old = stored.get(key)
            places = batch.repeated.get(key, [first])
            rows = [(batch.versions[place], batch.hashes[place]) for place in places]
            known = None if old is None else Known(old.source_version, old.content_hash, source_row=old.source_row)
            first_arrival = request.first_arrived_at
            again = None
            if first_arrival is not None:
                numbers = [batch.numbers[place] for place in places]
                again = Repeated(records.microseconds(first_arrival), numbers)
            verdicts = versions.settle(known, rows, records.microseconds(self._now), repeated=again)
            for place, verdict in zip(places, verdicts, strict=True):
                setattr(outcomes, verdict.outcome, getattr(outcomes, verdict.outcome) + 1)
                if verdict.last:
                    one = Fresh(key, verdict.version, batch.texts[place], batch.hashes[place], batch.numbers[place])
                    fresh.append(one)
                    self._note(None if old is None else old.raw_data, json.loads(one.text))
        if fresh:
            store.upsert(
                conn,
                request.tenant_id,
                request.record_type,
                request.source_system,
                fresh,
                received_at=self._now,
                load_id=self._load_id,
            )
        return outcomes

    def _note(self, old: Payload | None, new: Payload) -> None:
        before: dict[str, Any] = old or {}
        fields = frozenset(name for name in {*before, *new} if before.get(name) != new.get(name))
        if fields:
            self._changes.append(Change(new, fields))

    def close(self, conn: psycopg.Connection) -> None:
        """Before the commit: mark the dimension, and what was made or dated with the old values."""
        if not self._changes:
            return
        changes, self._changes = self._changes, []
        request = self._request
        dimension = f"bi.dim_{request.record_type}"
        reason = f"{request.record_type} data, load {self._load_id}"
        mark_dirty(conn, request.tenant_id, dimension, [UNDATED], reason=reason)
        for name in self._project.downstream(dimension):
            model = self._project.models[name]
            if model.is_dated:
                dates = _affected(conn, request, model, changes)
                mark_dirty(conn, request.tenant_id, name, dates, reason=reason)
                self.dates |= dates
        if any(change.fields & _DATING.get(request.record_type, frozenset()) for change in changes):
            self._redate(conn, changes, reason)

    def _redate(self, conn: psycopg.Connection, changes: Sequence[Change], reason: str) -> None:
        tenant = self._request.tenant_id
        calendar = calendar_store.load(conn, tenant)
        assert calendar is not None, tenant
        redater = Redater(self._warehouse, tenant, calendar, self._settings.first_date, self._now)
        lines = None
        if self._request.record_type == "line":
            lines = [change.payload["line_code"] for change in changes]
        for kind in BY_TIME:
            dates = redater.redate(conn, kind, lines=lines)
            mark_staging(conn, self._project, Scope(tenant, kind.name, ""), dates, reason=reason)
            self.dates |= dates


def _affected(conn: psycopg.Connection, request: LoadRequest, model: Model, changes: Sequence[Change]) -> set[date]:
    """Dates on which the published model has rows that were made with another value of what changed.

    A field matters when the model's SELECT mentions it; that is wider than needed and never too narrow.
    """
    words = set(re.findall(r"\w+", model.sql))
    key = RECORD_TYPES[request.record_type].key
    relevant = [change.payload for change in changes if change.fields & words]
    if not relevant:
        return set()
    names = {column.name for column in model.spec.columns}
    columns = [name for name in key if _COLUMNS.get(name, name) in names and name != "valid_from"]
    keys = [[str(payload.get(name) or "") for name in columns] for payload in relevant]
    return store.dates_with(
        conn, request.tenant_id, model.relation, [_COLUMNS.get(name, name) for name in columns], keys
    )
