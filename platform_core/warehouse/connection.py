"""Connections to the warehouse. The only place that commits."""

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
from psycopg import pq

from platform_core.settings import Settings
from platform_core.warehouse import embedded
from platform_core.warehouse.errors import (
    ConnectionLostError,
    ConnectionSettingsError,
    DiskFullError,
    WarehouseUnreachableError,
)
from platform_core.warehouse.roles import (
    DAGSTER_DATABASE,
    DATABASE,
    check_version,
    external_connections,
    prepare_server,
)
from platform_core.warehouse.store import sessions

_CONNECT_SECONDS = 10
_RECOVERY_SECONDS = 60
"""How long a transaction waits for a server that is coming up again after a crash."""

_SESSION_OPTIONS = "-c timezone=UTC -c jit=off"
"""An external server may have other defaults; results must not depend on them."""


class Role(StrEnum):
    """Who a session is: the owner of the tables, or the API that row security binds."""

    OWNER = "owner"
    API = "api"


@dataclass(frozen=True)
class Warehouse:
    """Where the warehouse is: postgresql:// URLs with passwords, for any client."""

    owner_url: str
    api_url: str
    dagster_url: str

    def url(self, role: Role) -> str:
        """The URL of a role."""
        return self.owner_url if role is Role.OWNER else self.api_url


def open_warehouse(settings: Settings) -> Warehouse:
    """Return the warehouse that the settings name, reachable; starts the embedded server when it is not running.

    TAKT_DATABASE_URL wins, then what `takt init --admin-url` has stored in TAKT_HOME, then the embedded server.
    """
    warehouse = external_warehouse(settings)
    if warehouse is not None:
        check_server(warehouse.owner_url)
        return warehouse
    known = embedded.remembered(settings)
    if known is not None and known.state.roles_made:
        warehouse = _of_server(known)
        if _answers(warehouse.owner_url):
            return warehouse
    server = embedded.start(settings)
    if not server.state.roles_made:
        owner, api = server.passwords["takt_owner"], server.passwords["takt_api"]
        prepare_server(server.admin_url, owner, api, long_passwords=True)
        embedded.mark_roles_made(settings)
    return _of_server(server)


def known_warehouse(settings: Settings) -> Warehouse | None:
    """Where the warehouse is, neither contacted nor started; None where none has been made yet."""
    known = external_warehouse(settings)
    if known is not None:
        return known
    server = embedded.remembered(settings)
    return _of_server(server) if server is not None and server.state.roles_made else None


def external_warehouse(settings: Settings) -> Warehouse | None:
    """The existing PostgreSQL that the settings or TAKT_HOME name, not contacted; None means the embedded server."""
    if settings.database_url is None:
        stored = external_connections(settings.home)
        return Warehouse(**stored) if stored else None
    if settings.api_database_url is None:
        raise ConnectionSettingsError(
            "TAKT_DATABASE_URL is set and TAKT_API_DATABASE_URL is not.",
            hint="Set it to the same database as the role takt_api; `takt init --admin-url` makes that role.",
        )
    owner_url = _plain(str(settings.database_url))
    dagster_url = settings.dagster_database_url
    return Warehouse(
        owner_url=owner_url,
        api_url=_plain(str(settings.api_database_url)),
        dagster_url=_plain(str(dagster_url)) if dagster_url else _with_database(owner_url, DAGSTER_DATABASE),
    )


@contextmanager
def transaction(
    warehouse: Warehouse,
    *,
    role: Role = Role.OWNER,
    tenant: UUID | None = None,
    lines: Sequence[str] | None = None,
    read_only: bool = False,
) -> Generator[psycopg.Connection]:
    """A connection inside one transaction: committed at the end, rolled back when the body raises.

    As Role.API the session sees the rows of `tenant` (none without one), of `lines` (None: every line). Raises
    WarehouseUnreachableError, and ConnectionLostError or DiskFullError when the server fails in the middle.
    """
    with _connected(warehouse.url(role)) as connection:
        connection.read_only = read_only
        if tenant is not None:
            connection.execute(sessions.SET_TENANT, {"tenant": str(tenant)})
        if lines is not None:
            connection.execute(sessions.SET_LINES, {"lines": list(lines)})
        yield connection


@contextmanager
def autocommit(warehouse: Warehouse, *, role: Role = Role.OWNER) -> Generator[psycopg.Connection]:
    """A connection whose every statement is its own transaction: for session locks and REFRESH ... CONCURRENTLY."""
    with _connected(warehouse.url(role)) as connection:
        connection.autocommit = True
        yield connection


def check_server(url: str) -> int:
    """Return the server's version number, such as 180006; raises ServerVersionError outside 16 to 18."""
    with _connected(url) as connection:
        row = connection.execute(sessions.SERVER_VERSION).fetchone()
    version: int = row[0] if row else 0
    check_version(version)
    return version


@contextmanager
def _connected(url: str) -> Generator[psycopg.Connection]:
    connection = _connect(url)
    try:
        with connection:
            yield connection
    except psycopg.errors.DiskFull as error:
        raise DiskFullError(
            f"PostgreSQL has no room left on its disk: {error}".strip(),
            hint="Make room and run the same again; nothing of this transaction is stored.",
        ) from error
    except psycopg.OperationalError as error:
        if not connection.broken:  # a deadlock, a lock timeout, a cancelled statement: the caller's to handle
            raise
        raise ConnectionLostError(
            f"The connection to PostgreSQL at {place(url)} was lost: {_first_line(error)}",
            hint="Run the same again; nothing of this transaction is stored.",
        ) from error


def _connect(url: str) -> psycopg.Connection:
    """Connect, waiting for a server that is coming up or in recovery; raises WarehouseUnreachableError."""
    deadline = time.monotonic() + _RECOVERY_SECONDS
    while True:
        try:
            return psycopg.connect(
                url, connect_timeout=_CONNECT_SECONDS, application_name="takt", options=_SESSION_OPTIONS
            )
        except psycopg.OperationalError as error:
            coming_up = pq.PGconn.ping(url.encode()) == pq.Ping.REJECT
            if not coming_up or time.monotonic() > deadline:
                raise WarehouseUnreachableError(
                    f"PostgreSQL at {place(url)} cannot be used: {_first_line(error)}",
                    hint="`takt doctor` explains what is wrong with an installation.",
                ) from error
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _of_server(server: embedded.EmbeddedServer) -> Warehouse:
    return Warehouse(
        owner_url=server.url("takt_owner", DATABASE),
        api_url=server.url("takt_api", DATABASE),
        dagster_url=server.url("takt_owner", DAGSTER_DATABASE),
    )


def _plain(url: str) -> str:
    """The URL without a driver's name: psycopg, psycopg2, Dagster and JDBC users each add their own."""
    return "postgresql://" + url.split("://", 1)[1]


def _with_database(url: str, database: str) -> str:
    return urlsplit(url)._replace(path=f"/{database}").geturl()


def place(url: str) -> str:
    """Host, port and database of a URL, for people: without login and password."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 5432}{parts.path}"


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
