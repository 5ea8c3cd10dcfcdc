"""The inbox: each file once, in full, whoever watches and whatever dies."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from platform_core.ingest.errors import IngestError, NoMappingError
from platform_core.ingest.inbox import DONE, FAILED, WORKING, Inbox, InboxResult, TakenFile, watch

NOW = datetime(2025, 3, 5, 8, tzinfo=UTC)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def drop(folder: Path, name: str, text: str = "a,b\n1,2\n") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def count_rows(taken: TakenFile) -> Mapping[str, Any]:
    return {"rows": len(taken.path.read_text("utf-8").splitlines()) - 1, "folder": taken.folder}


def run(inbox: Inbox, clock: Clock) -> list[InboxResult]:
    """One pass that sees the files, and one after they have settled."""
    inbox.run_once(count_rows, now=lambda: NOW)
    clock.now += 10
    return inbox.run_once(count_rows, now=lambda: NOW)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def test_a_file_is_read_and_moved_to_done_with_its_report(tmp_path: Path) -> None:
    clock = Clock()
    with Inbox(tmp_path, clock=clock) as inbox:
        original = drop(tmp_path, "a.csv")
        drop(tmp_path, "takt_order/b.csv")
        first, second = sorted(run(inbox, clock), key=lambda result: result.original.name)
    assert (first.original, first.succeeded, second.report["folder"]) == (original, True, "takt_order")
    assert names(tmp_path / DONE) == [
        "20250305T080000-a.csv",
        "20250305T080000-a.csv.report.json",
        "20250305T080000-b.csv",
        "20250305T080000-b.csv.report.json",
    ]
    report = json.loads(first.moved_to.with_name(f"{first.moved_to.name}.report.json").read_text("utf-8"))
    assert (report["file"], report["rows"], report["succeeded"]) == (str(original), 1, True)
    assert names(tmp_path) == []
    assert list((tmp_path / WORKING).iterdir()) == []


def test_a_file_that_still_grows_is_left_alone(tmp_path: Path) -> None:
    clock = Clock()
    with Inbox(tmp_path, settle_seconds=5, clock=clock) as inbox:
        path = drop(tmp_path, "a.csv")
        assert inbox.ready() == []
        clock.now += 4
        path.write_text("a,b\n1,2\n3,4\n", encoding="utf-8")
        # A copy may set back the time of the last change; the size tells.
        os.utime(path, (1, 1))
        clock.now += 4
        assert inbox.ready() == []
        clock.now += 5
        assert inbox.ready() == [path]


def test_files_under_way_are_told_by_their_names(tmp_path: Path) -> None:
    clock = Clock()
    with Inbox(tmp_path, clock=clock) as inbox:
        for name in ("a.csv.part", ".hidden.csv", "~$book.xlsx", "b.tmp"):
            drop(tmp_path, name)
        assert run(inbox, clock) == []


def test_a_file_at_fault_goes_to_failed_with_the_reason(tmp_path: Path) -> None:
    clock = Clock()

    def refuse(taken: TakenFile) -> Mapping[str, Any]:
        raise NoMappingError(f"No mapping fits {taken.original.name}.", hint="Name one.")

    with Inbox(tmp_path, settle_seconds=0, clock=clock) as inbox:
        drop(tmp_path, "a.csv")
        [result] = inbox.run_once(refuse, now=lambda: NOW)
    assert not result.succeeded
    report = json.loads((tmp_path / FAILED / "20250305T080000-a.csv.report.json").read_text("utf-8"))
    assert (report["error"], report["hint"]) == ("ERR_INGEST_NO_MAPPING", "Name one.")


def test_when_the_warehouse_is_away_the_file_stays_for_later(tmp_path: Path) -> None:
    def away(taken: TakenFile) -> Mapping[str, Any]:
        raise ConnectionError(f"no server for {taken.path.name}")

    with Inbox(tmp_path, settle_seconds=0) as inbox:
        path = drop(tmp_path, "a.csv")
        with pytest.raises(ConnectionError):
            inbox.run_once(away)
        assert path.exists()
        assert [result.succeeded for result in inbox.run_once(count_rows)] == [True]


def test_the_same_name_twice_in_a_second_overwrites_nothing(tmp_path: Path) -> None:
    with Inbox(tmp_path, settle_seconds=0) as inbox:
        for text in ("a\n1\n", "a\n2\n"):
            drop(tmp_path, "a.csv", text)
            inbox.run_once(count_rows, now=lambda: NOW)
    files = [path for path in (tmp_path / DONE).iterdir() if path.suffix == ".csv"]
    assert sorted(path.read_text("utf-8") for path in files) == ["a\n1\n", "a\n2\n"]


def test_two_watchers_never_read_the_same_file(tmp_path: Path) -> None:
    for number in range(40):
        drop(tmp_path, f"{number}.csv")
    read: list[str] = []

    def note(taken: TakenFile) -> Mapping[str, Any]:
        read.append(taken.original.name)
        time.sleep(0.001)
        return {}

    def work() -> None:
        with Inbox(tmp_path, settle_seconds=0) as inbox:
            for _ in range(3):
                inbox.run_once(note)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(read) == Counter(f"{number}.csv" for number in range(40))
    assert list((tmp_path / WORKING).iterdir()) == []


_DIE = """
import os, signal, sys
from pathlib import Path
from platform_core.ingest.inbox import Inbox

with Inbox(Path(sys.argv[1]), settle_seconds=0) as inbox:
    inbox.run_once(lambda taken: os.kill(os.getpid(), signal.SIGKILL))
"""


def test_files_of_a_watcher_that_was_killed_are_read_by_the_next(tmp_path: Path) -> None:
    drop(tmp_path, "a.csv")
    drop(tmp_path, "sub/b.csv")
    killed = subprocess.run([sys.executable, "-c", _DIE, str(tmp_path)], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert names(tmp_path) == []
    with Inbox(tmp_path, settle_seconds=0) as inbox:
        results = inbox.run_once(count_rows)
    assert sorted(result.original.name for result in results) == ["a.csv", "b.csv"]
    assert list((tmp_path / WORKING).iterdir()) == []


def test_a_live_watchers_files_are_not_taken_from_it(tmp_path: Path) -> None:
    path = drop(tmp_path, "a.csv")
    with Inbox(tmp_path, settle_seconds=0) as first, Inbox(tmp_path, settle_seconds=0) as second:
        taken = first.take(path)
        assert taken is not None
        assert second.recover() == []
        assert second.take(path) is None
    # Leaving gives back what was taken and not read.
    assert names(tmp_path) == ["a.csv"]


def test_watching_goes_on_until_it_is_stopped(tmp_path: Path) -> None:
    stop = threading.Event()
    drop(tmp_path, "a.csv")
    with Inbox(tmp_path, settle_seconds=0.05) as inbox:
        for result in watch(inbox, count_rows, stop=stop, interval_seconds=0.02):
            assert result.succeeded
            if result.original.name == "b.csv":
                stop.set()
            else:
                drop(tmp_path, "b.csv")


def test_what_a_file_is_at_fault_for_is_an_ingest_error() -> None:
    assert issubclass(NoMappingError, IngestError)
