"""The raw records beneath a row: which version it was made from, and what became of the record since."""

from collections.abc import Sequence
from uuid import UUID

import psycopg

from dbt_like_sql.contracts import Model
from platform_core.ingest.record_types import RECORD_TYPES, staging_model
from platform_core.trace import store
from platform_core.trace.contracts import TracedRecord, Version

_Identity = tuple[str, str, str]


class Records:
    """Finds the versions of the records that rows of one model were made from."""

    def __init__(self, conn: psycopg.Connection, tenant: UUID, model: Model, relation: str) -> None:
        self._conn = conn
        self._tenant = tenant
        self._relation = relation
        self._type = next((name for name in RECORD_TYPES if staging_model(name) == model.relation), None)

    def of(
        self, made: Sequence[store.Row], found: Sequence[Sequence[store.Row]], *, may_remember: bool
    ) -> list[tuple[TracedRecord, ...]]:
        """For each row made, its records; `found` are the current versions that its SQL would read today.

        With `may_remember`, a row for which none would be read today is followed to the record that it names itself.
        """
        if self._relation != "core.erp_mes_data":  # master data keeps no old versions
            return [tuple(TracedRecord((_version(row),)) for row in rows) for rows in found]
        wanted = [
            [_identity(row) for row in rows] or (self._remembered(row) if may_remember else [])
            for row, rows in zip(made, found, strict=True)
        ]
        every = self._versions({identity for identities in wanted for identity in identities})
        return [
            tuple(_record(row, every[identity], bool(rows)) for identity in identities if identity in every)
            for row, rows, identities in zip(made, found, wanted, strict=True)
        ]

    def _remembered(self, row: store.Row) -> list[_Identity]:
        """Which record a staging row names itself, where none on its date would be read today."""
        if self._type is None or "source_pk" not in row or "source_system" not in row:
            return []
        return [(self._type, row["source_system"], row["source_pk"])]

    def _versions(self, identities: set[_Identity]) -> dict[_Identity, list[store.Row]]:
        names = ("record_type", "source_system", "source_pk")
        found: dict[_Identity, list[store.Row]] = {}
        for row in store.versions(
            self._conn, self._tenant, [dict(zip(names, identity, strict=True)) for identity in sorted(identities)]
        ):
            found.setdefault(_identity(row), []).append(row)
        return found


def _identity(row: store.Row) -> _Identity:
    return row["record_type"], row["source_system"], row["source_pk"]


def _record(made: store.Row, versions: Sequence[store.Row], is_found: bool) -> TracedRecord:
    """The record with the version first that the row was made from; `is_found`: it would be read for the row today."""
    place = made.get("load_id"), made.get("source_row")
    used = next((version for version in versions if (version["load_id"], version["source_row"]) == place), versions[0])
    current = next((version for version in versions if version["is_current"]), None)
    has_moved = not is_found and current is not None and current["business_date"] != made.get("date")
    return TracedRecord(
        versions=tuple(_version(row) for row in (used, *(row for row in versions if row is not used))),
        corrected_since=used is not current,
        moved_to=current["business_date"] if has_moved and current is not None else None,
    )


def _version(row: store.Row) -> Version:
    return Version(
        source_system=row["source_system"],
        record_type=row["record_type"],
        source_pk=row["source_pk"],
        source_version=row["source_version"],
        business_date=row.get("business_date"),
        received_at=row["received_at"],
        source_name=row["source_name"],
        source_row=row["source_row"],
        is_current=row.get("is_current", True),
        payload=row["raw_data"],
    )
