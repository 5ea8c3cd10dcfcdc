"""Roles and databases of a server, made once: by the embedded server for itself, by `takt init` on another one."""

import secrets
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import quote, unquote, urlsplit

import psycopg
from psycopg.rows import dict_row
from psycopg.sql import Identifier, Literal

from platform_core.warehouse.embedded.state import read_private, write_private
from platform_core.warehouse.errors import (
    ConnectionSettingsError,
    HomeNotUsableError,
    PrivilegeError,
    ServerVersionError,
    WarehouseUnreachableError,
)
from platform_core.warehouse.store import roles as sql

OWNER = "takt_owner"
API = "takt_api"
DATABASE = "takt"
DAGSTER_DATABASE = "dagster"
VERSIONS = range(16, 19)

_EXTERNAL_FILE = "warehouse.json"
_URLS = ("owner_url", "api_url", "dagster_url")


@dataclass(frozen=True)
class Preparation:
    """What preparing a server has made; all empty when everything was there."""

    roles: tuple[str, ...]
    databases: tuple[str, ...]


def prepare_server(
    admin_url: str, owner_password: str, api_password: str, *, long_passwords: bool = False
) -> Preparation:
    """Make the roles and databases that are missing; repeatable. Existing roles keep their passwords.

    `long_passwords` says that both have over 128 random bits, so that slow hashing, which makes each connection
    slow, protects nothing.
    The administrator needs CREATEROLE and CREATEDB and no more. Raises PrivilegeError, ServerVersionError and
    WarehouseUnreachableError.
    """
    with _admin(admin_url) as connection:
        admin = _check_admin(connection)
        connection.execute(sql.SESSION_LOCK)  # two preparations at once: the second finds everything made
        if long_passwords:
            connection.execute(sql.ONE_ITERATION)
        made_roles = tuple(
            name
            for name, password in ((OWNER, owner_password), (API, api_password))
            if _make_role(connection, name, password if long_passwords else _hashed(connection, name, password))
        )
        if made_roles:
            connection.execute(sql.MAKES_LOGINS.format(owner=Identifier(OWNER)))
            connection.execute(sql.GIVES_ROLE.format(api=Identifier(API), owner=Identifier(OWNER)))
        with _power_of_owner(connection):
            made = tuple(name for name in (DATABASE, DAGSTER_DATABASE) if _make_database(connection, name, admin))
    return Preparation(made_roles, made)


def prepare_external(home: Path, admin_url: str, owner_url: str | None, api_url: str | None) -> Preparation:
    """Prepare an existing server and remember in `home` how to reach it, unless the two URLs already say it.

    New roles get the passwords of the URLs, else those stored in `home`, else generated ones.
    """
    stored = external_connections(home) or {}
    owner_known = owner_url or stored.get("owner_url")
    api_known = api_url or stored.get("api_url")
    owner_password = _password(owner_known) or secrets.token_urlsafe(24)
    api_password = _password(api_known) or secrets.token_urlsafe(24)
    preparation = prepare_server(admin_url, owner_password, api_password)
    for name, known in ((OWNER, owner_known), (API, api_known)):
        if known is None and name not in preparation.roles:
            raise ConnectionSettingsError(
                f"The role {name} exists already and its password is not known here.",
                hint=f"Set TAKT_DATABASE_URL and TAKT_API_DATABASE_URL, or: alter role {name} password '...'.",
            )
    if owner_url is None:
        home.mkdir(parents=True, exist_ok=True)
        urls = {
            "owner_url": _login_url(admin_url, OWNER, owner_password, DATABASE),
            "api_url": _login_url(admin_url, API, api_password, DATABASE),
            "dagster_url": _login_url(admin_url, OWNER, owner_password, DAGSTER_DATABASE),
        }
        write_private(home / _EXTERNAL_FILE, urls)
    return preparation


def external_connections(home: Path) -> dict[str, str] | None:
    """owner_url, api_url and dagster_url of the server that `takt init --admin-url` has prepared for this home."""
    stored = read_private(home / _EXTERNAL_FILE)
    if stored is not None and set(stored) != set(_URLS):
        raise HomeNotUsableError(
            f"{home / _EXTERNAL_FILE} must hold {', '.join(_URLS)} and holds {', '.join(sorted(stored)) or 'nothing'}.",
            hint="Mend it, or delete it and run `takt init --admin-url` again.",
        )
    return None if stored is None else {name: str(url) for name, url in stored.items()}


def check_version(number: int) -> None:
    """Raise ServerVersionError unless a server_version_num, such as 180006, is of PostgreSQL 16 to 18."""
    major = number // 10000
    if major not in VERSIONS:
        raise ServerVersionError(
            f"The server is PostgreSQL {major}; Takt works with {VERSIONS[0]} to {VERSIONS[-1]}.",
            hint="Name another server, or none for the embedded one.",
        )


@contextmanager
def _admin(url: str) -> Generator[psycopg.Connection]:
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=10, application_name="takt init")
    except psycopg.OperationalError as error:
        raise WarehouseUnreachableError(
            f"The administrator's connection cannot be made: {str(error).strip()}",
            hint="--admin-url is postgresql://USER:PASSWORD@HOST:PORT/postgres.",
        ) from error
    with connection:
        yield connection


def _check_admin(connection: psycopg.Connection) -> Mapping[str, object]:
    row = connection.cursor(row_factory=dict_row).execute(sql.ADMIN).fetchone() or {}
    check_version(cast(int, row["version"]))
    missing = [
        word for word, has in (("CREATEROLE", row["makes_roles"]), ("CREATEDB", row["makes_databases"])) if not has
    ]
    if missing and not row["superuser"]:
        raise PrivilegeError(
            f"The role {row['name']} lacks {' and '.join(missing)}.",
            hint=f"As a superuser: alter role {row['name']} createrole createdb;",
        )
    return row


def _make_role(connection: psycopg.Connection, name: str, password: str) -> bool:
    if _one(connection, sql.ROLE_EXISTS, name):
        return False
    connection.execute(sql.CREATE_ROLE.format(name=Identifier(name), password=Literal(password)))
    return True


@contextmanager
def _power_of_owner(connection: psycopg.Connection) -> Generator[None]:
    """Let the administrator, for the moment, give databases to takt_owner; a superuser can anyway."""
    if _one(connection, sql.MAY_BECOME, OWNER):
        yield
        return
    try:
        connection.execute(sql.GRANT_ROLE.format(name=Identifier(OWNER)))
    except psycopg.errors.InsufficientPrivilege as error:
        raise PrivilegeError(
            f"The role {OWNER} was made by somebody else, and this administrator may not act for it.",
            hint=f"As who made it or as a superuser: grant {OWNER} to the administrator with admin option.",
        ) from error
    try:
        yield
    finally:
        connection.execute(sql.REVOKE_ROLE.format(name=Identifier(OWNER)))


def _make_database(connection: psycopg.Connection, name: str, admin: Mapping[str, object]) -> bool:
    if _one(connection, sql.DATABASE_EXISTS, name):
        owner = _one(connection, sql.DATABASE_OWNER, name)
        if owner != OWNER:
            raise PrivilegeError(
                f"The database {name} exists and belongs to {owner}.",
                hint=f"Rename it, or as its owner: alter database {name} owner to {OWNER};",
            )
        return False
    create = sql.CREATE_DATABASE if cast(int, admin["version"]) >= 170000 else sql.CREATE_DATABASE_16
    connection.execute(create.format(name=Identifier(name), owner=Identifier(OWNER)))
    connection.execute(sql.CLOSE_DATABASE.format(name=Identifier(name)))
    connection.execute(sql.DATABASE_TIMEZONE.format(name=Identifier(name)))
    if name == DATABASE:
        connection.execute(sql.OPEN_DATABASE.format(name=Identifier(name), role=Identifier(API)))
    return True


def _one(connection: psycopg.Connection, query: bytes | str, name: str) -> object:
    row = connection.execute(cast(bytes, query), {"name": name}).fetchone()
    return row[0] if row else None


def _hashed(connection: psycopg.Connection, name: str, password: str) -> str:
    """The password as PostgreSQL keeps it, so that a server that logs statements does not log the password."""
    return connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()


def _password(url: str | None) -> str | None:
    return unquote(urlsplit(url).password or "") if url else None


def _login_url(admin_url: str, login: str, password: str, database: str) -> str:
    """The administrator's URL (host, port, TLS options) for another login and database."""
    parts = urlsplit(admin_url)
    place = parts.netloc.rpartition("@")[2]
    return parts._replace(
        scheme="postgresql", netloc=f"{login}:{quote(password, safe='')}@{place}", path=f"/{database}"
    ).geturl()
