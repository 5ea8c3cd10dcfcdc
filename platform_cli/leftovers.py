"""What `takt up` has started, written down so that `takt down` can stop it when `takt up` itself was killed.

TAKT_HOME/run/up.json: {"processes": [{"name": "dagster-webserver", "pid": 4711, "create_time": 1764000000.12}, ...]}
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from platform_core.warehouse.embedded.state import write_private

_STOP_SECONDS = 20
_POLL_SECONDS = 0.05
_SAME_START_SECONDS = 2
"""psutil works a start out of the boot time, which moves a little when the clock is set."""


def state_file(home: Path) -> Path:
    """Where the running processes are written down."""
    return home / "run" / "up.json"


def remember(home: Path, pids: Mapping[str, int]) -> None:
    """Write down processes by name; replaces what was written before."""
    path = state_file(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = [
        {"name": name, "pid": pid, "create_time": psutil.Process(pid).create_time()} for name, pid in pids.items()
    ]
    write_private(path, {"processes": entries})


def forget(home: Path) -> None:
    """Remove what was written down, once everything has been stopped."""
    state_file(home).unlink(missing_ok=True)


def alive(home: Path) -> dict[str, psutil.Process]:
    """Processes that were written down and still run. A number that was given to another process does not count."""
    try:
        stored = json.loads(state_file(home).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return {}
    found: dict[str, psutil.Process] = {}
    for entry in stored["processes"]:
        try:
            process = psutil.Process(entry["pid"])
            if (
                abs(process.create_time() - entry["create_time"]) < _SAME_START_SECONDS
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found[entry["name"]] = process
        except psutil.NoSuchProcess:
            continue
    return found


def stop_leftovers(home: Path, *, patience_seconds: float = _STOP_SECONDS) -> tuple[str, ...]:
    """Stop those processes and their children, kindly and after a while by force; returns their names."""
    named = alive(home)
    family = list(named.values())
    for process in named.values():
        try:
            family += process.children(recursive=True)
        except psutil.NoSuchProcess:
            continue
    for process in family:
        _signal(process, force=False)
    for process in _still_running(family, patience_seconds):
        _signal(process, force=True)
    _still_running(family, patience_seconds)
    forget(home)
    return tuple(named)


def _still_running(family: list[psutil.Process], patience_seconds: float) -> list[psutil.Process]:
    """Which of them run even after a while. A zombie does not: in a container nobody may ever collect it."""
    deadline = time.monotonic() + patience_seconds
    while True:
        left = [process for process in family if _runs(process)]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(_POLL_SECONDS)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, *, force: bool) -> None:
    try:
        process.kill() if force else process.terminate()
    except psutil.NoSuchProcess:
        return
