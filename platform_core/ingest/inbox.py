"""A folder into which systems drop files: each is taken once, read, and moved to done/ or failed/ with a report.

A file is claimed by renaming it into a folder of this watcher's own, which only one of several can do. The watcher
holds a lock as long as it lives; where the lock of a watcher is free, its files go back to where they came from.
Reading a file twice changes nothing in the warehouse, so a crash at any moment costs nothing but time.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Any
from uuid import uuid4

from filelock import FileLock, Timeout

from dbt_like_sql.errors import TaktError
from platform_core.clock import utc_now
from platform_core.crash_points import crash_point
from platform_core.ingest.errors import IngestError

WORKING, DONE, FAILED = ".working", "done", "failed"
_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".filepart", ".swp", ".lock")


@dataclass(frozen=True)
class TakenFile:
    """A file that this watcher alone has."""

    path: Path
    """Where it lies while it is read."""
    original: Path
    """Where it was dropped; what `core.load.source_name` should say."""
    folder: str | None
    """The subfolder of the inbox it was dropped into, by which a mapping may be named."""


@dataclass(frozen=True)
class InboxResult:
    """What became of one file."""

    original: Path
    moved_to: Path
    succeeded: bool
    report: Mapping[str, Any]


Handle = Callable[[TakenFile], Mapping[str, Any]]
"""Reads a file and returns its report, JSON-ready. An IngestError means that the file is at fault; any other error
(the warehouse is away) leaves the file in the inbox."""


class Inbox:
    """One watcher of one folder; use it as a context manager."""

    def __init__(
        self,
        folder: Path,
        *,
        settle_seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self._settle = settle_seconds
        self._clock = clock
        self._seen: dict[Path, tuple[tuple[int, int], float]] = {}
        self._lock: FileLock | None = None
        self._own = folder

    def __enter__(self) -> "Inbox":
        working = self.folder / WORKING
        for folder in (working, self.folder / DONE, self.folder / FAILED):
            folder.mkdir(parents=True, exist_ok=True)
        while self._lock is None:
            name = uuid4().hex[:12]
            lock = FileLock(working / f"{name}.lock")
            try:
                lock.acquire(blocking=False)
            except Timeout:
                continue
            self._lock, self._own = lock, working / name
        self._own.mkdir()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self._give_back(self._own)
            _release(self._lock)
            self._lock = None

    def ready(self) -> list[Path]:
        """Files that have not changed for `settle_seconds`, in the order of their last change.

        A size and time seen twice, that far apart, are needed: a copy may keep the old time of its original.
        """
        now = self._clock()
        found: list[tuple[int, Path]] = []
        present: set[Path] = set()
        for path in self._incoming():
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            present.add(path)
            state = (status.st_size, status.st_mtime_ns)
            known = self._seen.get(path)
            if known is None or known[0] != state:
                self._seen[path] = (state, now)
                known = self._seen[path]
            if now - known[1] >= self._settle:
                found.append((status.st_mtime_ns, path))
        self._seen = {path: seen for path, seen in self._seen.items() if path in present}
        return [path for _, path in sorted(found)]

    def _incoming(self) -> Iterator[Path]:
        for path in sorted(self.folder.iterdir()):
            if path.is_dir():
                if path.name not in (WORKING, DONE, FAILED) and not path.name.startswith("."):
                    yield from (inner for inner in sorted(path.iterdir()) if inner.is_file() and _is_finished(inner))
            elif _is_finished(path):
                yield path

    def take(self, path: Path) -> TakenFile | None:
        """Claim a file; None when another watcher was faster."""
        target = self._own / path.relative_to(self.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.rename(target)
        except FileNotFoundError:
            return None
        crash_point("inbox.after_take")
        self._seen.pop(path, None)
        folder = path.parent.name if path.parent != self.folder else None
        return TakenFile(target, path, folder)

    def recover(self) -> list[Path]:
        """Put back the files of watchers that died; the files' old places."""
        back: list[Path] = []
        for place in (self.folder / WORKING).glob("*.lock"):
            lock = FileLock(place)
            if self._lock is not None and place == Path(self._lock.lock_file):
                continue
            try:
                lock.acquire(blocking=False)
            except Timeout:
                continue
            back += self._give_back(place.with_suffix(""))
            _release(lock)
        return back

    def _give_back(self, working: Path) -> list[Path]:
        back: list[Path] = []
        for path in sorted(working.rglob("*")) if working.is_dir() else ():
            if path.is_file():
                original = self.folder / path.relative_to(working)
                original.parent.mkdir(parents=True, exist_ok=True)
                path.rename(_free(original))
                back.append(original)
        for folder in sorted((p for p in working.rglob("*") if p.is_dir()), reverse=True) if working.is_dir() else ():
            folder.rmdir()
        if working.is_dir():
            working.rmdir()
        return back

    def run_once(self, handle: Handle, *, now: Callable[[], datetime] = utc_now) -> list[InboxResult]:
        """Take and read every file that is ready, one after another.

        An error that is not the file's own puts the file back and is raised.
        """
        self.recover()
        results: list[InboxResult] = []
        for path in self.ready():
            taken = self.take(path)
            if taken is not None:
                results.append(self._read(taken, handle, now()))
        return results

    def _read(self, taken: TakenFile, handle: Handle, now: datetime) -> InboxResult:
        try:
            return self._finish(taken, handle, now)
        finally:
            # Still here: the handler failed for a reason that is not the file's.
            if taken.path.exists():
                taken.path.rename(_free(taken.original))

    def _finish(self, taken: TakenFile, handle: Handle, now: datetime) -> InboxResult:
        try:
            report = dict(handle(taken))
            succeeded = "error" not in report
        except IngestError as error:
            report, succeeded = error_report(error), False
        crash_point("inbox.after_read")
        target = _free(self.folder / (DONE if succeeded else FAILED) / f"{now:%Y%m%dT%H%M%S}-{taken.path.name}")
        report = {"file": str(taken.original), "read_at": now.isoformat(), "succeeded": succeeded, **report}
        # The report first: a file in done/ or failed/ always has its report beside it.
        _write(target.with_name(f"{target.name}.report.json"), report)
        crash_point("inbox.after_report")
        taken.path.rename(target)
        crash_point("inbox.after_move")
        return InboxResult(taken.original, target, succeeded, report)


def watch(inbox: Inbox, handle: Handle, *, stop: Event, interval_seconds: float = 5.0) -> Iterator[InboxResult]:
    """What becomes of each file, until `stop` is set."""
    while not stop.is_set():
        yield from inbox.run_once(handle)
        stop.wait(interval_seconds)


def error_report(error: TaktError) -> dict[str, Any]:
    """An error as a report shows it."""
    return {"error": error.code, "message": error.message, "hint": error.hint}


def _is_finished(path: Path) -> bool:
    name = path.name.lower()
    return not name.startswith((".", "~$")) and not name.endswith(_UNFINISHED) and not name.endswith(".report.json")


def _free(path: Path) -> Path:
    """The path itself, or with a number when something is already there."""
    number, free = 2, path
    while free.exists():
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return free


def _write(path: Path, report: Mapping[str, Any]) -> None:
    part = path.with_name(f".{path.name}.tmp")
    part.write_text(json.dumps(report, ensure_ascii=False, indent=2, default=str) + "\n", encoding="utf-8")
    os.replace(part, path)


def _release(lock: FileLock) -> None:
    """Free a lock and remove its file; no watcher ever uses the same name again."""
    Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()
