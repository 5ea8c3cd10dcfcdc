"""API keys and OAuth clients: made, listed, revoked, and recognised."""

import hmac
import re
import secrets
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
from psycopg.rows import class_row, dict_row

from platform_core.security import access_tokens
from platform_core.security.context import Security, digest, new_secret
from platform_core.security.contracts import (
    ApiKey,
    Grants,
    Locale,
    NewApiKey,
    NewOAuthClient,
    OAuthClient,
    Principal,
    Secret,
    Tokens,
    UserStatus,
)
from platform_core.security.engine import (
    effective,
    known_permissions,
    narrower_lines,
    parse_scope,
    storable,
)
from platform_core.security.errors import (
    ClientInvalidError,
    CredentialError,
    CredentialNotFoundError,
    ScopeInvalidError,
    UnauthorizedError,
)
from platform_core.security.permissions import Permission, Role
from platform_core.security.store import machines as sql
from platform_core.security.store import sessions as sessions_sql

_PREFIX_CHARACTERS = string.ascii_lowercase + string.digits
_PREFIX_LENGTH = 12
_KEY = re.compile(r"takt_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True)
class KnownClient:
    """A client as the use cases work with it."""

    client: OAuthClient
    secret_hash: bytes | None
    token_epoch: int
    tenant_slug: str


@dataclass(frozen=True)
class _KeyRow:
    id: UUID
    tenant_id: UUID
    name: str
    owner_id: UUID | None
    secret_hash: bytes
    scopes: list[str]
    line_access: list[str] | None
    expires_at: datetime | None
    revoked_at: datetime | None
    tenant_slug: str
    tenant_active: bool
    owner_status: UserStatus | None
    owner_name: str | None
    owner_roles: list[str] | None
    owner_permissions: list[str] | None
    owner_lines: list[str] | None
    owner_locale: Locale | None


def create_api_key(
    security: Security, tenant_id: UUID, new: NewApiKey, by: Principal | None = None
) -> tuple[ApiKey, Secret]:
    """The key and its text, which nobody can find out later. Nobody (`by`) makes one that may more than they may."""
    if not new.scopes:
        raise CredentialError("A key needs at least one scope.", hint="Such as bi:read.")
    _check_new(security, tenant_id, new.name, new.scopes, new.line_access, new.expires_at, by)
    prefix = "".join(secrets.choice(_PREFIX_CHARACTERS) for _ in range(_PREFIX_LENGTH))
    secret = new_secret()
    values = {
        "tenant_id": tenant_id,
        "owner_id": new.owner_id,
        "name": new.name.strip(),
        "prefix": prefix,
        "secret_hash": digest(secret),
        "scopes": sorted(new.scopes),
        "line_access": None if new.line_access is None else sorted(set(new.line_access)),
        "created_by": by.user_id if by and by.kind == "user" else None,
        "now": security.clock(),
        "expires_at": new.expires_at,
    }
    try:
        with security.begin() as conn:
            made = _keys(conn, sql.INSERT_KEY, values)[0]
    except psycopg.errors.ForeignKeyViolation as error:
        raise CredentialError("The owner of a key is a user of the same tenant.") from error
    return made, Secret(f"takt_{prefix}_{secret}")


def list_api_keys(security: Security, tenant_id: UUID) -> tuple[ApiKey, ...]:
    """All keys of a tenant, the newest first, revoked ones included."""
    with security.begin() as conn:
        return _keys(conn, sql.LIST_KEYS, {"tenant_id": tenant_id})


def revoke_api_key(security: Security, tenant_id: UUID, name: str) -> ApiKey:
    """End a key by its prefix or id; raises CredentialNotFoundError, for another tenant's key too."""
    with security.begin() as conn:
        found = _keys(conn, sql.REVOKE_KEY, {"tenant_id": tenant_id, "name": _plain(name), "now": security.clock()})
    if not found:
        raise CredentialNotFoundError(f"There is no key {name[:50]!r}.", hint="`takt apikey list` shows them.")
    security.changes.tell()
    return found[0]


def verify_api_key(security: Security, key: Secret) -> Principal:
    """Who a key is; raises UnauthorizedError. One query, and once a minute an update of when it was used."""
    parts = _KEY.fullmatch(key.value)
    if parts is None:
        raise _unknown_key()
    prefix, secret = parts.groups()
    now = security.clock()
    with security.begin() as conn:
        found = conn.cursor(row_factory=class_row(_KeyRow)).execute(sql.FIND_KEY, {"prefix": prefix}).fetchone()
        right = hmac.compare_digest(found.secret_hash if found else b"", digest(secret))
        if found is None or not right or not _is_good(found, now):
            raise _unknown_key()
        conn.execute(sql.KEY_USED, {"tenant_id": found.tenant_id, "id": found.id, "now": now})
    return _principal_of_key(found)


def create_client(
    security: Security, tenant_id: UUID, new: NewOAuthClient, by: Principal | None = None
) -> tuple[OAuthClient, Secret | None]:
    """A client and its secret, shown once; a public client has none, and so no tokens of its own."""
    _check_new(security, tenant_id, new.name, new.scopes, new.line_access, new.expires_at, by)
    if new.is_public and not new.redirect_uris:
        raise CredentialError("A public client needs an address to come back to.", hint="Name a redirect URI.")
    if not new.is_public and not new.scopes:
        raise CredentialError("A client with a secret needs at least one scope.", hint="Such as bi:read.")
    for uri in new.redirect_uris:
        _check_redirect(uri)
    secret = None if new.is_public else Secret(new_secret())
    values = {
        "tenant_id": tenant_id,
        "client_id": f"takt-{secrets.token_hex(8)}",
        "name": new.name.strip(),
        "secret_hash": digest(secret.value) if secret else None,
        "redirect_uris": list(new.redirect_uris),
        "scopes": sorted(new.scopes),
        "line_access": None if new.line_access is None else sorted(set(new.line_access)),
        "now": security.clock(),
        "expires_at": new.expires_at,
    }
    with security.begin() as conn:
        made = _clients(conn, sql.INSERT_CLIENT, values)[0]
    return made, secret


def list_clients(security: Security, tenant_id: UUID) -> tuple[OAuthClient, ...]:
    """All clients of a tenant, the newest first, revoked ones included."""
    with security.begin() as conn:
        return _clients(conn, sql.LIST_CLIENTS, {"tenant_id": tenant_id})


def revoke_client(security: Security, tenant_id: UUID, name: str) -> OAuthClient:
    """End a client by its client_id or id, and every token that it got, for itself and for people."""
    values = {"tenant_id": tenant_id, "name": _plain(name), "now": security.clock()}
    with security.begin() as conn:
        found = _clients(conn, sql.REVOKE_CLIENT, values)
        for client in found:
            conn.execute(sessions_sql.RAISE_EPOCHS_OF_CLIENT, values | {"id": client.id})
            conn.execute(sessions_sql.REVOKE_OF_CLIENT, values | {"id": client.id})
    if not found:
        raise CredentialNotFoundError(f"There is no client {name[:50]!r}.")
    security.changes.tell()
    return found[0]


def find_client(conn: psycopg.Connection, client_id: str, now: datetime) -> KnownClient:
    """A client that may be used; raises ClientInvalidError. Its secret is not checked here."""
    row: dict[str, Any] | None = None
    if storable(client_id):
        row = conn.cursor(row_factory=dict_row).execute(sql.FIND_CLIENT, {"client_id": client_id}).fetchone()
    if row is None or not row["tenant_active"]:
        raise _unknown_client()
    client = _client_of(row)
    if client.revoked_at is not None or (client.expires_at is not None and client.expires_at <= now):
        raise _unknown_client()
    return KnownClient(client, row["secret_hash"], row["token_epoch"], row["tenant_slug"])


def authenticate_client(security: Security, client_id: str, secret: Secret | None) -> KnownClient:
    """A client that has proved who it is, by its secret if it has one. Raises ClientInvalidError."""
    with security.begin() as conn:
        known = find_client(conn, client_id, security.clock())
    given = digest(secret.value) if secret else b""
    if not hmac.compare_digest(known.secret_hash or b"", given):
        raise _unknown_client()
    return known


def client_credentials(security: Security, known: KnownClient, scope: str | None) -> Tokens:
    """An access token for the machine itself; it gets no refresh token, as it can ask again."""
    client = known.client
    if client.is_public:
        raise ClientInvalidError("A client without a secret gets tokens for people only.")
    had = frozenset(client.scopes)
    wanted = parse_scope(scope) or had
    if not wanted <= had:
        raise ScopeInvalidError(f"The client may not have {', '.join(sorted(wanted - had))}.")
    principal = Principal(
        tenant_id=client.tenant_id,
        tenant_slug=known.tenant_slug,
        user_id=client.id,
        name=client.name,
        kind="client",
        roles=frozenset(),
        permissions=wanted,
        lines=client.line_access,
        locale="en",
        scope=wanted,
        extra=had,
    )
    now = security.clock()
    return Tokens(
        access_token=access_tokens.issue(security.keys, security.policy, principal, known.token_epoch, now),
        expires_in=int(security.policy.access.total_seconds()),
        scope=tuple(sorted(wanted)),
        tenant_id=client.tenant_id,
    )


def _is_good(found: _KeyRow, now: datetime) -> bool:
    in_time = found.revoked_at is None and (found.expires_at is None or found.expires_at > now)
    owner_may = found.owner_id is None or found.owner_status == "active"
    return in_time and owner_may and found.tenant_active


def _principal_of_key(found: _KeyRow) -> Principal:
    scope = known_permissions(found.scopes)
    grants = Grants(extra=scope)
    if found.owner_id is not None:
        extra = known_permissions(found.owner_permissions or ())
        grants = Grants(frozenset(Role(role) for role in found.owner_roles or ()), extra)
    return Principal(
        tenant_id=found.tenant_id,
        tenant_slug=found.tenant_slug,
        user_id=found.owner_id or found.id,
        name=found.name,
        kind="api_key",
        roles=grants.roles,
        permissions=effective(grants, scope),
        lines=narrower_lines(found.line_access, found.owner_lines),
        locale=found.owner_locale or "en",
        scope=scope,
        extra=grants.extra,
    )


def _check_new(
    security: Security,
    tenant_id: UUID,
    name: str,
    scopes: Iterable[Permission],
    lines: tuple[str, ...] | None,
    expires_at: datetime | None,
    by: Principal | None,
) -> None:
    if not 1 <= len(name.strip()) <= 100 or not storable(name):
        raise CredentialError("A name has 1 to 100 characters.")
    if expires_at is not None and expires_at <= security.clock():
        raise CredentialError("It would be over already.", hint="Name a time that is to come.")
    if by is None:
        return
    if by.tenant_id != tenant_id:
        raise CredentialError("It would be another tenant's.")
    more = frozenset(scopes) - by.permissions
    if more:
        raise CredentialError(f"Who makes it may not {', '.join(sorted(more))}, and so neither may it.")
    if by.lines is not None and (lines is None or not set(lines) <= set(by.lines)):
        raise CredentialError("Who makes it does not see all of these lines.", hint=f"Lines: {', '.join(by.lines)}.")


def _check_redirect(uri: str) -> None:
    """https, or plain http to this machine: a program that listens on loopback (RFC 8252)."""
    try:
        parts = urlsplit(uri)
        host = parts.hostname
    except ValueError:
        host, parts = None, urlsplit("")
    safe = parts.scheme == "https" or (parts.scheme == "http" and f"{host}" in ("127.0.0.1", "::1", "localhost"))
    if not host or not safe or parts.fragment or "*" in uri or parts.username is not None:
        raise CredentialError(
            f"{uri[:100]!r} cannot be a redirect URI.", hint="https://..., or http://127.0.0.1/... for a program."
        )


def _keys(conn: psycopg.Connection, query: LiteralString, values: Mapping[str, object]) -> tuple[ApiKey, ...]:
    rows = conn.cursor(row_factory=dict_row).execute(query, values).fetchall()
    return tuple(ApiKey(**(row | _typed(row))) for row in rows)


def _clients(conn: psycopg.Connection, query: LiteralString, values: Mapping[str, object]) -> tuple[OAuthClient, ...]:
    rows = conn.cursor(row_factory=dict_row).execute(query, values).fetchall()
    return tuple(_client_of(row) for row in rows)


def _client_of(row: Mapping[str, Any]) -> OAuthClient:
    names = OAuthClient.__dataclass_fields__
    kept: dict[str, Any] = {name: value for name, value in row.items() if name in names}
    typed: dict[str, Any] = {"redirect_uris": tuple(row["redirect_uris"]), **_typed(row)}
    return OAuthClient(**(kept | typed))


def _typed(row: Mapping[str, Any]) -> dict[str, Any]:
    lines = row["line_access"]
    return {
        "scopes": tuple(sorted(known_permissions(row["scopes"]))),
        "line_access": None if lines is None else tuple(lines),
    }


def _plain(name: str) -> str:
    return name.strip() if storable(name) else ""


def _unknown_key() -> UnauthorizedError:
    return UnauthorizedError("The API key is unknown, revoked or over.")


def _unknown_client() -> ClientInvalidError:
    return ClientInvalidError("The client is unknown, or its secret is wrong.")
