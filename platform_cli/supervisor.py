"""Starts processes, watches them, and stops them and everything that they started. Knows nothing of what they do."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import psutil

HOST = "127.0.0.1"

_TAIL_LINES = 15
_POLL_SECONDS = 0.25


@dataclass(frozen=True)
class Service:
    """One process to run: its name, command, and how to ask whether it does its work yet."""

    name: str
    argv: Sequence[str]
    is_ready: Callable[[], bool]


@dataclass
class Running:
    """A process that has been started, with where it writes."""

    service: Service
    process: subprocess.Popen[bytes]
    log: Path
    started: float = field(default_factory=time.monotonic)

    def log_tail(self) -> str:
        """The end of its log, for saying why it died."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_TAIL_LINES:])


class Died(Exception):
    """A process has ended that should run."""

    def __init__(self, running: Running) -> None:
        super().__init__(running.service.name)
        self.running = running


class Stopped(Exception):
    """Somebody asked for the end (Ctrl-C, SIGTERM) while something was being waited for."""


class Supervisor:
    """The processes of one `takt up`. Starts nothing again by itself: what dies is reported."""

    def __init__(self, logs: Path, environment: Mapping[str, str], *, stop_seconds: float = 15) -> None:
        self._stop_seconds = stop_seconds
        self.running: list[Running] = []
        self._logs = logs
        self._environment = dict(environment)
        self._stop = Event()

    def catch_signals(self) -> None:
        """From here on Ctrl-C, SIGTERM and a closed terminal ask for an orderly end."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._stop.set()

    def start(self, service: Service) -> Running:
        """Start one; its output goes to `<name>.log`, that of the run before to `<name>.log.1`."""
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"{service.name}.log"
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        with log.open("wb") as out:
            process = subprocess.Popen(
                service.argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=self._logs,  # not the caller's folder: a module there must not shadow an installed one
                start_new_session=True,  # Ctrl-C reaches only us; we stop them in order
            )
        running = Running(service, process, log)
        self.running.append(running)
        return running

    def wait_ready(self, running: Running, tick: Callable[[float], None], timeout_seconds: float) -> None:
        """Wait until it does its work; `tick` is told the seconds waited. Raises Died, Stopped, TimeoutError."""
        began = time.monotonic()
        while not running.service.is_ready():
            self.check(wait_seconds=_POLL_SECONDS)
            waited = time.monotonic() - began
            if waited > timeout_seconds:
                raise TimeoutError(f"{running.service.name} was not ready after {waited:.0f} s.")
            tick(waited)

    def watch(self, also: Callable[[], None], every_seconds: float) -> None:
        """Watch until the end is asked for (Stopped) or a process ends (Died); `also` runs now and then."""
        due = time.monotonic() + every_seconds
        while True:
            self.check(wait_seconds=_POLL_SECONDS)
            if time.monotonic() >= due:
                also()
                due = time.monotonic() + every_seconds

    def check(self, *, wait_seconds: float = 0) -> None:
        """Raise Stopped or Died if there is reason to."""
        if self._stop.wait(wait_seconds):
            raise Stopped
        for running in self.running:
            if running.process.poll() is not None:
                raise Died(running)

    def stop_all(self) -> None:
        """Stop everything that was started, and what that started: kindly, and after a while by force."""
        family = [process for running in self.running for process in _family(running.process.pid)]
        for running in reversed(self.running):
            with contextlib.suppress(ProcessLookupError):
                running.process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + self._stop_seconds
        for running in self.running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.process.wait(max(0.1, deadline - time.monotonic()))
        _, left = psutil.wait_procs(family, timeout=1)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for running in self.running:
            running.process.wait()
        psutil.wait_procs(left, timeout=5)

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        return {running.service.name: running.process.pid for running in self.running}


def free_port(preferred: int | None = None) -> int:
    """`preferred` if nobody has it on the loopback, else one that the system picks."""
    for port in (preferred, 0) if preferred else (0,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("The system has no free port.")


def answers(port: int) -> bool:
    """Whether somebody listens on the port of the loopback."""
    try:
        socket.create_connection((HOST, port), timeout=0.5).close()
    except OSError:
        return False
    return True


def environment_with(added: Mapping[str, str]) -> dict[str, str]:
    """This process's environment and `added`; without what would send Dagster elsewhere."""
    inherited = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    return {**inherited, "PYTHONUNBUFFERED": "1", **added}


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
