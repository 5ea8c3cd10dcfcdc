"""What is wrong with an installation, and what to do about it: one small check for each thing that can be."""

import difflib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path

import psutil
import psycopg
from filelock import FileLock, Timeout

from dbt_like_sql.errors import TaktError
from dbt_like_sql.project import load_project
from platform_core.settings import SettingInvalidError, Settings
from platform_core.tenants.contracts import DEFAULT_SLUG
from platform_core.tenants.errors import TenantInvalidError
from platform_core.tenants.service import check_timezone, list_tenants
from platform_core.warehouse import embedded, migrate
from platform_core.warehouse.connection import (
    Role,
    Warehouse,
    external_warehouse,
    open_warehouse,
    place,
    transaction,
)
from platform_core.warehouse.embedded.binaries import wheel_folder
from platform_core.warehouse.embedded.processes import clean_environment
from platform_core.warehouse.embedded.state import HomeFiles
from platform_core.warehouse.store import diagnosis as sql

_GIB = 1024**3
_LITTLE_DISK, _NO_DISK = 5 * _GIB, _GIB // 2
_CLOCK_SECONDS = 60
_LOCK_SECONDS = 10
"""A start of the server usually holds its lock for less."""

# The end of a log that says why a server did not start, and what helps.
_LOG_CAUSES = {
    "No space left on device": "Make room on that disk.",
    "could not resize shared memory segment": "Give the container more shared memory (docker run --shm-size 1g).",
    "could not map anonymous shared memory": "Lower shared_buffers in custom.conf beside takt.conf, or free memory.",
    "configuration file": "Mend or remove custom.conf beside takt.conf.",
    "invalid data directory permissions": "Give the data folder mode 0700 back (chmod 700).",
    "Permission denied": "Give the files back to the user who made them.",
    "could not locate a valid checkpoint record": "The data are damaged; restore a backup.",
}


class State(StrEnum):
    """How a check came out. Only `broken` makes an installation unusable."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """What one check found, in a sentence, and what to do when something is not as it should be."""

    check: str
    state: State
    message: str
    hint: str | None = None


def diagnose(settings: Settings, now: Callable[[], datetime]) -> Iterator[Finding]:
    """Check one thing after the other; what needs a server is left out when there is none to ask.

    Starts an embedded server that has been made and is not running, as every command would; makes nothing.
    """
    yield check_python(sys.version_info[:3])
    yield from _variables()
    yield _home(settings.home)
    yield from _disk(settings)
    yield from _abandoned()
    warehouse = None
    try:
        external = external_warehouse(settings)
        if external is None:
            yield _programs()
        if external is None and embedded.remembered(settings) is None:
            hint = "`takt init` makes it; so does every command that needs it."
            yield Finding("server", State.OK, "The embedded PostgreSQL has not been made yet.", hint)
        elif external is None and (held := _held(settings.home)):
            yield held
        else:
            finding, warehouse = _server(settings)
            yield finding
    except TaktError as error:
        yield Finding("server", State.BROKEN, error.message, error.hint)
    if warehouse is not None:
        for check in (_clock, _encoding, _logins, _roles, _tables, _dagster, _tenants):
            yield from _asked(check, warehouse, now)


def diagnose_settings(error: SettingInvalidError) -> Iterator[Finding]:
    """What can be said when the settings cannot be read: nothing else can be looked for without them."""
    yield check_python(sys.version_info[:3])
    yield from _variables()
    yield Finding("settings", State.BROKEN, error.message, error.hint)


def check_python(running: tuple[int, ...]) -> Finding:
    """Whether Takt and what it depends on run on that version."""
    found = ".".join(map(str, running))
    if (3, 11) <= running[:2] <= (3, 13):
        return Finding("python", State.OK, f"Python {found}, Takt {version('takt')}.")
    return Finding("python", State.BROKEN, f"Python {found} is not supported.", "Use Python 3.11, 3.12 or 3.13.")


def _variables() -> Iterator[Finding]:
    """A mistyped variable is ignored in silence by everything else."""
    known = {f"TAKT_{name}".upper() for name in Settings.model_fields}
    for name in sorted(os.environ):
        if name.startswith("TAKT_") and name not in known:
            for meant in difflib.get_close_matches(name, known, 1, cutoff=0.85):
                yield Finding("settings", State.WARNING, f"{name} is no setting.", f"Is {meant} meant?")


def _home(home: Path) -> Finding:
    nearest = next(folder for folder in (home, *home.parents) if folder.exists())
    try:
        tempfile.TemporaryFile(dir=nearest).close()
    except OSError as error:
        hint = "Set TAKT_HOME to a folder that you may write, or run takt as its owner."
        message = f"TAKT_HOME {home}: nothing can be written to {nearest}: {error.strerror}."
        return Finding("home", State.BROKEN, message, hint)
    return Finding("home", State.OK, f"TAKT_HOME is {home}.")


def _disk(settings: Settings) -> Iterator[Finding]:
    """Room where TAKT_HOME is, and where the server's data are if that is elsewhere."""
    folders = [settings.home]
    try:
        if known := embedded.remembered(settings):
            folders.append(known.state.folder)
    except TaktError:
        pass  # the server's check tells about it
    seen: set[int] = set()
    for folder in folders:
        nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
        if nearest.stat().st_dev in seen:
            continue
        seen.add(nearest.stat().st_dev)
        free = shutil.disk_usage(nearest).free
        state = State.BROKEN if free < _NO_DISK else State.WARNING if free < _LITTLE_DISK else State.OK
        hint = None if state is State.OK else "Make room, or move TAKT_HOME to a larger disk."
        yield Finding("disk", state, f"{free / _GIB:.1f} GiB are free at {nearest}.", hint)


def _abandoned() -> Iterator[Finding]:
    """Root's servers may keep their data outside of TAKT_HOME, where they stay when it is deleted."""
    if os.geteuid() == 0:
        for folder in embedded.abandoned():
            hint = "Delete it if nobody needs those data any more."
            yield Finding("disk", State.WARNING, f"{folder} belonged to a TAKT_HOME that is gone.", hint)


def _programs() -> Finding:
    postgres = wheel_folder() / "postgres"
    hint = "This system lacks a library that the wheel needs; set TAKT_DATABASE_URL to a PostgreSQL 16-18 instead."
    try:
        tried = subprocess.run([postgres, "--version"], capture_output=True, text=True, env=clean_environment())
    except OSError as error:  # no right to execute it, or made for another processor
        return Finding("programs", State.BROKEN, f"{postgres} does not run: {error.strerror}.", hint)
    if tried.returncode:
        return Finding("programs", State.BROKEN, f"{postgres} does not run: {tried.stderr.strip()}", hint)
    return Finding("programs", State.OK, f"{tried.stdout.strip()} is installed.")


def _held(home: Path) -> Finding | None:
    """Somebody who starts or stops the server and does not come to an end: every other command would wait for it."""
    lock = HomeFiles(home).lock
    try:
        with FileLock(lock, timeout=_LOCK_SECONDS, mode=0o600):
            return None
    except Timeout:
        holders = ", ".join(_holders(lock)) or "a process that this user may not see"
        message = f"{lock} has been held for {_LOCK_SECONDS} s by {holders}: it is starting or stopping the server."
        return Finding("server", State.BROKEN, message, "Wait for it; if it hangs, end it (kill), and run takt again.")
    except OSError:
        return None  # starting the server says what is wrong with the file


def _holders(lock: Path) -> Iterator[str]:
    for process in psutil.process_iter(["open_files", "name"]):  # those of other users show no files
        if any(file.path == str(lock) for file in process.info["open_files"] or ()):
            yield f"{process.info['name']} (process {process.pid})"


def _server(settings: Settings) -> tuple[Finding, Warehouse | None]:
    ran = embedded.running(settings) is not None
    external = external_warehouse(settings)
    try:
        warehouse = open_warehouse(settings)
    except TaktError as error:
        causes = [hint for text, hint in _LOG_CAUSES.items() if text in error.message]
        return Finding("server", State.BROKEN, error.message, causes[0] if causes else error.hint), None
    with transaction(warehouse) as connection:
        row = connection.execute(sql.VERSION).fetchone()
    kind = "existing" if external else "embedded"
    started = "" if external or ran else "; it did not run and has been started"
    where = f"{kind} PostgreSQL {row[0] if row else '?'} at {place(warehouse.owner_url)}{started}"
    return Finding("server", State.OK, f"The {where}."), warehouse


_Check = Callable[[Warehouse, Callable[[], datetime]], Iterator[Finding]]


def _asked(check: _Check, warehouse: Warehouse, now: Callable[[], datetime]) -> Iterator[Finding]:
    """A check that could not be made is a finding too, and keeps no other from being made."""
    try:
        yield from check(warehouse, now)
    except TaktError as error:
        yield Finding(check.__name__.removeprefix("_"), State.BROKEN, error.message, error.hint)
    except psycopg.Error as error:
        yield Finding(check.__name__.removeprefix("_"), State.BROKEN, f"PostgreSQL refuses: {error}".strip())


def _clock(warehouse: Warehouse, now: Callable[[], datetime]) -> Iterator[Finding]:
    with transaction(warehouse) as connection:
        row = connection.execute(sql.CLOCK).fetchone()
    apart = abs((row[0] - now()).total_seconds()) if row else 0.0
    if apart > _CLOCK_SECONDS:
        hint = "Set both clocks by NTP: which records lie in the future depends on them."
        yield Finding("clock", State.WARNING, f"This machine's clock and the server's are {apart:.0f} s apart.", hint)


def _encoding(warehouse: Warehouse, _now: Callable[[], datetime]) -> Iterator[Finding]:
    with transaction(warehouse) as connection:
        row = connection.execute(sql.ENCODING).fetchone()
    if row and row[0] != "UTF8":
        hint = "Make the database anew with encoding UTF8; `takt init --admin-url` does."
        yield Finding("encoding", State.BROKEN, f"The database's encoding is {row[0]}: Korean text will fail.", hint)


def _logins(warehouse: Warehouse, _now: Callable[[], datetime]) -> Iterator[Finding]:
    """Both URLs as the settings mean them: other logins would own the tables, or see every tenant's rows."""
    found: dict[Role, tuple[str, str, object]] = {}
    for role in Role:
        with transaction(warehouse, role=role, read_only=True) as connection:
            found[role] = connection.execute(sql.LOGIN).fetchone() or ("", "", None)
        if found[role][0] != f"takt_{role}":
            variable = "TAKT_DATABASE_URL" if role is Role.OWNER else "TAKT_API_DATABASE_URL"
            message = f"{variable} logs in as {found[role][0]}, not as takt_{role}."
            yield Finding("roles", State.BROKEN, message, "Give it that login; `takt init --admin-url` makes the role.")
    if found[Role.OWNER][1:] != found[Role.API][1:]:
        places = f"{place(warehouse.owner_url)} and {place(warehouse.api_url)}"
        message = f"TAKT_DATABASE_URL and TAKT_API_DATABASE_URL lead to different databases: {places}."
        yield Finding("roles", State.BROKEN, message, "Let both name the same one.")


def _roles(warehouse: Warehouse, _now: Callable[[], datetime]) -> Iterator[Finding]:
    with transaction(warehouse) as connection:
        unbound = dict(connection.execute(sql.ROLES).fetchall())
        missing = {"takt_owner", "takt_api"} - unbound.keys()
        if missing:
            hint = "`takt init --admin-url` makes them."
            yield Finding("roles", State.BROKEN, f"Missing: {', '.join(sorted(missing))}.", hint)
            return
        owned = connection.execute(sql.OWNED_BY_API).fetchone()
    with transaction(warehouse, role=Role.API):
        pass  # its password is right, and it may connect
    if unbound["takt_api"] or (owned and owned[0]):
        hint = "As a superuser: `alter role takt_api nosuperuser nobypassrls`, and give what it owns to takt_owner."
        yield Finding("roles", State.BROKEN, "Row security does not bind takt_api: tenants see each other.", hint)
    else:
        yield Finding("roles", State.OK, "takt_owner and takt_api can connect; row security binds takt_api.")


def _tables(warehouse: Warehouse, _now: Callable[[], datetime]) -> Iterator[Finding]:
    found, head = migrate.current(warehouse), migrate.head()
    if found != head:
        newer = found is not None and found > head
        hint = "Install the newer Takt that this database was used with." if newer else "Run `takt init`."
        yield Finding("tables", State.BROKEN, f"The tables are at revision {found or 'none'}, not {head}.", hint)
        return
    with transaction(warehouse) as connection:
        names = {"names": list(load_project().models)}
        missing = [name for (name,) in connection.execute(sql.MISSING_RELATIONS, names)]
    if missing:
        yield Finding("tables", State.BROKEN, f"Missing: {', '.join(missing)}.", "Run `takt init`.")
    else:
        yield Finding("tables", State.OK, f"The tables are at revision {head}, and every model has its own.")


def _dagster(warehouse: Warehouse, _now: Callable[[], datetime]) -> Iterator[Finding]:
    try:
        with psycopg.connect(warehouse.dagster_url, connect_timeout=10) as connection:
            row = connection.execute(sql.DAGSTER_TABLES).fetchone()
    except psycopg.OperationalError as error:
        hint = "`takt init --admin-url` makes the database; TAKT_DAGSTER_DATABASE_URL names another one."
        yield Finding("dagster", State.BROKEN, f"Dagster's storage cannot be used: {error}".strip(), hint)
        return
    used = "has been used" if row and row[0] else "is empty, the first run fills it"
    yield Finding("dagster", State.OK, f"Dagster's storage at {place(warehouse.dagster_url)} {used}.")


def _tenants(warehouse: Warehouse, _now: Callable[[], datetime]) -> Iterator[Finding]:
    with transaction(warehouse) as connection:
        tenants = list_tenants(connection)
    for tenant in tenants:
        try:
            check_timezone(tenant.timezone)
        except TenantInvalidError as error:
            yield Finding("tenants", State.BROKEN, f"Tenant {tenant.slug}: {error.message}", error.hint)
    if DEFAULT_SLUG not in {tenant.slug for tenant in tenants}:
        yield Finding("tenants", State.WARNING, f"There is no tenant {DEFAULT_SLUG}.", "Run `takt init`.")
    else:
        listed = ", ".join(f"{tenant.slug} ({tenant.timezone})" for tenant in tenants)
        yield Finding("tenants", State.OK, f"Tenants: {listed}.")
