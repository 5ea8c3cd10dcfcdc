"""What `takt up` has started, written down so that `takt down` can stop it when `takt up` itself was killed.

TAKT_HOME/run/up.json: {"processes": [{"name": "dagster-webserver", "pid": 4711, "create_time": 1764000000.12}, ...]}
"""

import json
from collections.abc import Mapping
from pathlib import Path

import psutil

from platform_core.warehouse.embedded.state import write_private

_STOP_SECONDS = 20


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
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    found: dict[str, psutil.Process] = {}
    for entry in stored["processes"]:
        try:
            process = psutil.Process(entry["pid"])
            if process.create_time() == entry["create_time"] and process.status() != psutil.STATUS_ZOMBIE:
                found[entry["name"]] = process
        except psutil.NoSuchProcess:
            continue
    return found


def stop_leftovers(home: Path) -> tuple[str, ...]:
    """Stop those processes and their children, kindly and after 20 s by force; returns their names."""
    named = alive(home)
    family = list(named.values())
    for process in named.values():
        try:
            family += process.children(recursive=True)
        except psutil.NoSuchProcess:
            continue
    for process in family:
        _signal(process, force=False)
    _, stubborn = psutil.wait_procs(family, timeout=_STOP_SECONDS)
    for process in stubborn:
        _signal(process, force=True)
    psutil.wait_procs(stubborn, timeout=_STOP_SECONDS)
    forget(home)
    return tuple(named)


def _signal(process: psutil.Process, *, force: bool) -> None:
    try:
        process.kill() if force else process.terminate()
    except psutil.NoSuchProcess:
        return
