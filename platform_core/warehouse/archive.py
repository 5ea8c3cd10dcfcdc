"""Sealing: a month's raw and staging rows move to a compressed file, and its facts stay as they are.

A sealed date is not made anew, as it would lose its rows; neither is a later date of a model that reads back into it.
A record that comes late lands all the same and waits. Attaching the archive brings the rows back and marks what waited.
"""

import io
import json
import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from secrets import token_hex
from typing import IO, Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import psycopg

from dbt_like_sql.project import Project
from platform_core.crash_points import crash_point
from platform_core.settings import Settings
from platform_core.warehouse.connection import Warehouse, autocommit, transaction
from platform_core.warehouse.errors import ArchiveError
from platform_core.warehouse.shapes import shape_of
from platform_core.warehouse.store import archive as store
from platform_core.warehouse.store import catalog, partitions, publish

RAW = "core.erp_mes_data"
_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Archive:
    """The file of a month; `sealed` says that the month's rows are nowhere else."""

    first: date
    last: date
    file: Path
    sealed: bool


@dataclass(frozen=True)
class Sealing:
    """Months by their first dates: those sealed, with their files, and those held back, with their open dates."""

    sealed: Mapping[date, Path]
    held_back: Mapping[date, int]


def seal(warehouse: Warehouse, settings: Settings, project: Project, month: date) -> Path:
    """Move the raw and staging rows of the month of that date to a file under TAKT_HOME/archive; returns the file.

    Waits for runs of those dates. Raises ArchiveError when the month is sealed already, or has dates still to be made.
    """
    period = partitions.period_of(month, "month")
    days = _days(period)
    with _locked(warehouse, project, days) as conn, conn.transaction():
        if store.is_sealed(conn, period.first):
            raise ArchiveError(f"{period.first:%Y-%m} is archived already.", hint="Attach it first.")
        if (open_dates := store.open_dates(conn, period.first, period.end, project.dated)) > 0:
            raise ArchiveError(
                f"{period.first:%Y-%m} has {open_dates} dates that are failed or still to be made anew.",
                hint="Refresh them first; afterwards they could not be.",
            )
        folder = settings.home / "archive"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{period.first:%Y-%m}_{token_hex(4)}.zip"
        relations = [r for r in (RAW, *_staging(project)) if _child(r, period) in partitions.existing(conn, r)]
        for relation in relations:
            store.lock(conn, _qualified(relation, period))
        _write(conn, path, {relation: _qualified(relation, period) for relation in relations})
        crash_point("seal.after_file")
        for relation in relations:
            store.detach_and_drop(conn, relation, _qualified(relation, period))
        store.record(conn, period.first, period.end - timedelta(days=1), str(path))
        crash_point("seal.before_commit")
    crash_point("seal.after_commit")
    return path


def unseal(warehouse: Warehouse, project: Project, month: date) -> tuple[date, ...]:
    """Bring the rows of a sealed month back from its file; returns the dates on which records had come late.

    Those dates, and all that waited for the month, are dirty afterwards. Raises ArchiveError when the month is not
    sealed, or its file is gone or damaged; then nothing has changed.
    """
    period = partitions.period_of(month, "month")
    with _locked(warehouse, project, _days(period)) as conn, conn.transaction():
        found = store.archive_of(conn, period.first)
        if found is None:
            raise ArchiveError(f"{period.first:%Y-%m} is not archived.", hint="There is nothing to attach.")
        partitions.ensure(conn, RAW, period.first, period.first, "month")
        late = store.late_dates(conn, period.first, period.end)
        unfit = _read(conn, project, Path(found), period)
        store.settle_current(conn, period.first, period.end)
        lookback = {m.relation: m.spec.lookback_days for m in project.models.values() if m.layer == "staging"}
        store.mark_late(conn, late, lookback)
        store.mark_staging(conn, unfit, period.first, period.end)
        store.release(conn)
        store.set_attached(conn, period.first)
        crash_point("attach.before_commit")
    crash_point("attach.after_commit")
    return tuple(sorted({day for _, _, day in late}))


def seal_older_months(warehouse: Warehouse, settings: Settings, project: Project, today: date) -> tuple[date, ...]:
    """Seal every month that ended more than `settings.archive_raw_after_days` ago; none when that is not set.

    A month that cannot be sealed yet (a date still to be made) is left for the next round.
    """
    if settings.archive_raw_after_days is None:
        return ()
    limit = today - timedelta(days=settings.archive_raw_after_days)
    return tuple(seal_before(warehouse, settings, project, limit).sealed)


def seal_before(warehouse: Warehouse, settings: Settings, project: Project, limit: date) -> Sealing:
    """Seal every month that ended by that date and is open; one with dates still to be made is held back."""
    with autocommit(warehouse) as conn:
        months = [month for month in store.months_with_rows(conn, limit) if not store.is_sealed(conn, month)]
        ends = {month: partitions.period_of(month, "month").end for month in months}
        unfinished = {month: store.open_dates(conn, month, end, project.dated) for month, end in ends.items()}
    sealed = {month: seal(warehouse, settings, project, month) for month in months if not unfinished[month]}
    return Sealing(sealed, {month: dates for month, dates in unfinished.items() if dates})


def list_archives(warehouse: Warehouse) -> tuple[Archive, ...]:
    """Every file that sealing has made, oldest month first; of one month there may be several, one of them sealed."""
    with transaction(warehouse, read_only=True) as conn:
        return tuple(
            Archive(first, last, Path(file), sealed=attached_at is None)
            for first, last, file, attached_at in store.archives(conn)
        )


def _staging(project: Project) -> tuple[str, ...]:
    """Staging models, in order; each must have monthly partitions."""
    found = tuple(name for name in project.dated if project.models[name].layer == "staging")
    for name in found:
        if shape_of(project.models[name]).step != "month":
            raise ArchiveError(
                f"{name} has partitions wider than a month.", hint="Give staging models `partition_by: month`."
            )
    return found


def _days(period: partitions.Period) -> list[date]:
    return [period.first + timedelta(days=ahead) for ahead in range((period.end - period.first).days)]


def _child(relation: str, period: partitions.Period) -> str:
    return f"{partitions.split(relation)[1]}_{period.suffix}"


def _qualified(relation: str, period: partitions.Period) -> str:
    return f"{partitions.split(relation)[0]}.{_child(relation, period)}"


@contextmanager
def _locked(warehouse: Warehouse, project: Project, days: Sequence[date]) -> Generator[psycopg.Connection]:
    """Hold off every run of those dates, in the project's order, on the session that does the work."""
    with autocommit(warehouse) as conn:
        for relation in project.dated:
            publish.lock(conn, relation, days)
        yield conn


def _write(conn: psycopg.Connection, path: Path, tables: Mapping[str, str]) -> None:
    """The rows of each table into one compressed file, complete on the disk before this returns."""
    manifest: dict[str, Any] = {"tables": {}}
    with ExitStack() as undo:
        undo.callback(path.unlink, missing_ok=True)
        with path.open("xb") as file:
            with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=6) as bundle:
                for relation, table in tables.items():
                    columns = [column.name for column in catalog.columns(conn, table)]
                    with bundle.open(relation, "w", force_zip64=True) as member:
                        rows = store.copy_out(conn, table, columns, member)
                    manifest["tables"][relation] = {"columns": columns, "rows": rows}
                bundle.writestr(_MANIFEST, json.dumps(manifest))
            file.flush()
            os.fsync(file.fileno())
        undo.pop_all()


def _read(conn: psycopg.Connection, project: Project, path: Path, period: partitions.Period) -> list[str]:
    """Rows back into their tables; returns the staging models that have changed since, to be made from raw."""
    unfit: list[str] = []
    try:
        with ZipFile(path) as bundle:
            manifest = json.loads(bundle.read(_MANIFEST))
            for relation, about in manifest["tables"].items():
                there = {column.name for column in catalog.columns(conn, relation)}
                if relation != RAW and (relation not in project.models or not set(about["columns"]) <= there):
                    unfit.append(relation)
                    continue
                partitions.ensure(conn, relation, period.first, period.first, "month")
                with bundle.open(relation) as member:
                    rows = store.copy_in(conn, relation, about["columns"], _buffered(member))
                if rows != about["rows"]:
                    raise ArchiveError(f"{path} holds {rows} rows of {relation} and should hold {about['rows']}.")
    except (OSError, BadZipFile, KeyError, json.JSONDecodeError) as error:
        raise ArchiveError(
            f"The archive {path} of {period.first:%Y-%m} cannot be read: {error}",
            hint="Put the file back from a copy and try again; nothing has changed.",
        ) from error
    return unfit


def _buffered(member: IO[bytes]) -> io.BufferedReader:
    return io.BufferedReader(member, 1 << 20)  # pyright: ignore[reportArgumentType]
