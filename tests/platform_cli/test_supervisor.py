"""Processes are started, watched and stopped with all that they started; what dies is told with its log's end."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from platform_cli.commands.up import only_one
from platform_cli.errors import AlreadyUpError
from platform_cli.leftovers import remember
from platform_cli.supervisor import HOST, Died, Service, Stopped, Supervisor, environment_with, free_port

SLEEPS = "import time; time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('on', flush=True); time.sleep(600)"
WITH_CHILD = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPS!r}]).wait()"


@pytest.fixture
def supervisor(tmp_path: Path) -> Supervisor:
    """A supervisor that writes below the test's folder."""
    return Supervisor(tmp_path / "logs", environment_with({}))


def _service(code: str, name: str = "worker") -> Service:
    return Service(name, [sys.executable, "-c", code], lambda: False)


def test_one_that_dies_is_told_with_the_end_of_its_log(supervisor: Supervisor) -> None:
    supervisor.start(_service("print('first line'); raise SystemExit('no port left')"))
    with pytest.raises(Died) as died:
        supervisor.watch(lambda: None, every_seconds=60)
    assert died.value.running.process.returncode == 1
    assert died.value.running.log_tail() == "first line\nno port left"


def test_stopping_ends_processes_and_what_they_started(supervisor: Supervisor) -> None:
    running = supervisor.start(_service(WITH_CHILD))
    parent = psutil.Process(running.process.pid)
    while not parent.children():
        time.sleep(0.05)
    family = [parent, *parent.children()]
    supervisor.stop_all()
    assert not any(process.is_running() for process in family)


def test_one_that_ignores_the_request_is_stopped_by_force(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path / "logs", environment_with({}), stop_seconds=0.5)
    running = supervisor.start(_service(STUBBORN))
    while "on" not in running.log_tail():
        time.sleep(0.05)
    supervisor.stop_all()
    assert running.process.returncode == -signal.SIGKILL


def test_a_signal_ends_the_watching(supervisor: Supervisor) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    supervisor.start(_service(SLEEPS))
    try:
        supervisor.catch_signals()
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
        with pytest.raises(Stopped):
            supervisor.watch(lambda: None, every_seconds=60)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        supervisor.stop_all()


def test_the_log_of_the_run_before_is_kept(supervisor: Supervisor) -> None:
    for text in ("one", "two"):
        running = supervisor.start(_service(f"print({text!r})"))
        running.process.wait()
    assert running.log_tail() == "two"
    assert running.log.with_suffix(".log.1").read_text() == "one\n"


def test_a_taken_port_gives_way_to_another() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        wanted = taken.getsockname()[1]
        assert free_port(wanted) != wanted
    assert free_port(wanted) == wanted


def test_what_a_killed_takt_up_left_is_stopped_by_the_next(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SLEEPS]) as left:
        remember(tmp_path, {"api": left.pid})
        with only_one(tmp_path):
            assert left.wait(10) == -signal.SIGTERM


def test_only_one_runs_at_a_time(tmp_path: Path) -> None:
    with only_one(tmp_path), pytest.raises(AlreadyUpError, match="up already"), only_one(tmp_path):
        pass
