"""The server's processes as the operating system shows them."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
from psycopg import pq

from platform_core.warehouse.embedded.account import Account
from platform_core.warehouse.embedded.configuration import render, server_settings
from platform_core.warehouse.embedded.state import ServerState

HOST = "127.0.0.1"
_LOG_LIMIT = 10 * 1024 * 1024


def postmaster(state: ServerState) -> psutil.Process | None:
    """The server's main process, None when the one that its file names is gone, a zombie or something else."""
    try:
        number = int((state.data / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None
    try:
        process = psutil.Process(number)
        return process if _works_in(process, state.data) else None
    except psutil.NoSuchProcess:
        return None


def kill_children_left(state: ServerState) -> None:
    """End what a server whose main process was killed has left: it keeps a new one from starting."""
    for process in psutil.process_iter():
        try:
            if process.name().startswith("postgres") and _works_in(process, state.data):
                process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue


def _works_in(process: psutil.Process, data: Path) -> bool:
    """Every process of a PostgreSQL server has its data folder as working directory."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()) == data
    except (psutil.AccessDenied, psutil.ZombieProcess):
        return False


def accepts_connections(port: int) -> bool:
    """Whether a server answers on the port and is past its recovery; needs no password."""
    answer = pq.PGconn.ping(f"host={HOST} port={port} connect_timeout=5 dbname=postgres user=postgres".encode())
    return answer == pq.Ping.OK


def port_is_free(port: int) -> bool:
    """Whether the server could listen there; connections of an earlier server that linger do not count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def spawn(programs: Path, account: Account, state: ServerState, settings: dict[str, str], alive: int) -> None:
    """Start the server as a process without parent, of a session of its own; `alive` is the lock that it inherits.

    Through a shell that ends at once: a server that stayed our child would, once killed, remain as a zombie for as
    long as we live. A session of its own, so that Ctrl-C in this terminal does not reach it.
    """
    configuration = state.folder / "takt.conf"
    configuration.write_text(render(server_settings(state.port) | settings), encoding="utf-8")
    configuration.chmod(0o644 if account.other else 0o600)
    # The lock is free, so no server lives and this file is a leftover: PostgreSQL would refuse to start when its
    # number belongs to a zombie or has been given to another process of this user.
    (state.data / "postmaster.pid").unlink(missing_ok=True)
    if state.log.exists() and state.log.stat().st_size > _LOG_LIMIT:
        state.log.replace(state.log.with_suffix(".log.1"))
    # Opened here and inherited: the log quotes statements, so nobody but us may read it.
    log = os.open(state.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        server = [str(programs / "postgres"), "-D", str(state.data), "-c", f"config_file={configuration}"]
        subprocess.run(
            ["/bin/sh", "-c", '"$@" &', "sh", *server],
            cwd="/",
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(alive,),
            start_new_session=True,
            umask=0o077,
            check=True,
            **account.spawn_arguments(),
        )
    finally:
        os.close(log)


def initialise(programs: Path, account: Account, state: ServerState, password: str) -> None:
    """Make the data folder: complete under its name, or not there. Raises subprocess.CalledProcessError."""
    work = state.folder / "data.new"
    secret = state.folder / "password.tmp"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700)
    account.own(work)
    secret.unlink(missing_ok=True)
    try:
        descriptor = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(password + "\n")
        account.own(secret)
        login = ["--username=postgres", f"--pwfile={secret}", "--auth=scram-sha-256"]
        subprocess.run(
            [str(programs / "initdb"), f"--pgdata={work}", *login, "--encoding=UTF8", *_locale_arguments()],
            cwd="/",
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            umask=0o077,
            check=True,
            **account.spawn_arguments(),
        )
    finally:
        secret.unlink(missing_ok=True)
    work.rename(state.data)


def _locale_arguments() -> Iterator[str]:
    """Sorting is the builtin provider's everywhere; macOS knows no C.UTF-8 for what still asks the system."""
    yield "--locale-provider=builtin"
    yield "--builtin-locale=C.UTF-8"
    if os.uname().sysname == "Darwin":
        yield from ("--locale=C", "--lc-ctype=UTF-8")
    else:
        yield "--locale=C.UTF-8"


def clean_environment() -> dict[str, str]:
    """Our environment without PostgreSQL's variables, in a language whose messages we can read."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C"}
