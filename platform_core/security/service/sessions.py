"""Tokens of people: issued at a login, renewed by refreshing, ended by logging out or by a theft that shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import class_row

from platform_core.security import access_tokens
from platform_core.security.accounts import Account, get_account
from platform_core.security.context import Security, digest, new_secret
from platform_core.security.contracts import OAuthClient, Principal, Secret, Tokens, User
from platform_core.security.engine import known_permissions, parse_scope
from platform_core.security.errors import GrantInvalidError, ScopeInvalidError, UnauthorizedError
from platform_core.security.permissions import Permission
from platform_core.security.store import sessions as sql
from platform_core.security.store import users as users_sql


@dataclass(frozen=True)
class Family:
    """All tokens that came of one login, so that they can be ended together."""

    id: UUID
    started_at: datetime
    rotated_from: UUID | None = None


@dataclass(frozen=True)
class _Stored:
    id: UUID
    tenant_id: UUID
    user_id: UUID
    client_id: UUID | None
    family: UUID
    family_started_at: datetime
    scope: list[str] | None
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


def issue_tokens(
    conn: psycopg.Connection,
    security: Security,
    account: Account,
    scope: frozenset[Permission] | None,
    client: OAuthClient | None = None,
    family: Family | None = None,
) -> Tokens:
    """An access token and a refresh token, the first of a new family or the next of one."""
    now = security.clock()
    family = family or Family(uuid4(), now)
    refresh = new_secret()
    values = {
        "tenant_id": account.tenant_id,
        "user_id": account.id,
        "client_id": client.id if client else None,
        "family": family.id,
        "family_started_at": family.started_at,
        "rotated_from": family.rotated_from,
        "token_hash": digest(refresh),
        "scope": None if scope is None else sorted(scope),
        "now": now,
        "expires_at": min(now + security.policy.refresh, family.started_at + security.policy.session),
    }
    conn.execute(sql.INSERT_REFRESH, values)
    principal = account.as_principal(scope, client)
    return Tokens(
        access_token=access_tokens.issue(security.keys, security.policy, principal, account.token_epoch, now),
        expires_in=int(security.policy.access.total_seconds()),
        scope=tuple(sorted(principal.permissions)),
        tenant_id=account.tenant_id,
        refresh_token=refresh,
    )


def begin_session(security: Security, user: User, scope: str | None = None) -> Tokens:
    """Tokens for somebody who has just proved who they are, at a login page or a provider."""
    limit = parse_scope(scope)
    with security.begin() as conn:
        account = get_account(conn, user.tenant_id, user.id)
        if account is None or not account.usable:
            raise UnauthorizedError("The user may not log in any more.")
        return issue_tokens(conn, security, account, limit)


def refresh(
    security: Security, refresh_token: Secret, *, client: OAuthClient | None = None, scope: str | None = None
) -> Tokens:
    """New tokens for a refresh token, which is over then. Raises GrantInvalidError.

    `client` is the one that has proved who it is: a token works only for the client that it was issued to. A token that
    was used before is in two hands, so its whole family ends, and all access tokens of the user with it.
    """
    with security.begin() as conn:
        outcome = _rotate(conn, security, refresh_token, client, parse_scope(scope))
    if isinstance(outcome, GrantInvalidError):
        security.changes.tell()
        raise outcome
    return outcome


def _rotate(
    conn: psycopg.Connection,
    security: Security,
    refresh_token: Secret,
    client: OAuthClient | None,
    wanted: frozenset[Permission] | None,
) -> Tokens | GrantInvalidError:
    """Returns the refusal instead of raising it: what a reuse revokes must be committed."""
    now = security.clock()
    values = {"token_hash": digest(refresh_token.value)}
    stored = conn.cursor(row_factory=class_row(_Stored)).execute(sql.FIND_REFRESH, values).fetchone()
    if stored is None:
        return _over()
    if stored.used_at is not None:
        end_family(conn, stored.tenant_id, stored.user_id, stored.family, now)
        return GrantInvalidError(
            "The refresh token was used before; all tokens of this login are over.", hint="Log in again."
        )
    if stored.revoked_at is not None or stored.expires_at <= now:
        return _over()
    if stored.client_id != (client.id if client else None):
        return _over()
    account = get_account(conn, stored.tenant_id, stored.user_id)
    if account is None or not account.usable:
        return _over()
    scope = _narrowed(stored.scope, wanted)
    conn.execute(sql.USE_REFRESH, {"tenant_id": stored.tenant_id, "id": stored.id, "now": now})
    family = Family(stored.family, stored.family_started_at, stored.id)
    return issue_tokens(conn, security, account, scope, client, family)


def revoke(security: Security, token: Secret, *, client: OAuthClient | None = None) -> None:
    """End the login that a refresh or access token came of (RFC 7009); an unknown token is no error.

    The user's access tokens are all over then; other logins of the same user renew theirs without noticing.
    """
    now = security.clock()
    with security.begin() as conn:
        values = {"token_hash": digest(token.value)}
        stored = conn.cursor(row_factory=class_row(_Stored)).execute(sql.FIND_REFRESH, values).fetchone()
        if stored is not None:
            if stored.client_id == (client.id if client else None):
                end_family(conn, stored.tenant_id, stored.user_id, stored.family, now)
        else:
            _end_access(conn, security, token, now)
    security.changes.tell()


def logout_everywhere(security: Security, tenant_id: UUID, user_id: UUID) -> None:
    """End all logins of a user: no refresh token works, no access token either."""
    with security.begin() as conn:
        end_all(conn, tenant_id, user_id, security.clock())
    security.changes.tell()


def end_all(conn: psycopg.Connection, tenant_id: UUID, user_id: UUID, now: datetime) -> None:
    """The same within a transaction."""
    key = {"tenant_id": tenant_id, "id": user_id, "now": now}
    conn.execute(sql.REVOKE_OF_USER, key)
    conn.execute(users_sql.RAISE_EPOCH, key)


def end_family(conn: psycopg.Connection, tenant_id: UUID, user_id: UUID, family: UUID, now: datetime) -> None:
    """End all tokens that came of one login."""
    conn.execute(sql.REVOKE_FAMILY, {"tenant_id": tenant_id, "family": family, "now": now})
    conn.execute(users_sql.RAISE_EPOCH, {"tenant_id": tenant_id, "id": user_id})


def sweep(security: Security) -> int:
    """Delete tokens, codes and links that are over; how many rows went. For maintenance."""
    before = security.clock() - security.policy.session
    with security.begin() as conn:
        return sum(conn.execute(statement, {"before": before}).rowcount for statement in sql.SWEEP)


def _end_access(conn: psycopg.Connection, security: Security, token: Secret, now: datetime) -> None:
    try:
        verified = access_tokens.verify(security.keys, security.policy, token.value, now)
    except UnauthorizedError:
        return
    who: Principal = verified.principal
    if who.kind == "user":
        conn.execute(users_sql.RAISE_EPOCH, {"tenant_id": who.tenant_id, "id": who.user_id})


def _narrowed(stored: Sequence[str] | None, wanted: frozenset[Permission] | None) -> frozenset[Permission] | None:
    had = None if stored is None else known_permissions(stored)
    if wanted is None:
        return had
    if had is not None and not wanted <= had:
        more = ", ".join(sorted(wanted - had))
        raise ScopeInvalidError(f"The login was not for {more}.", hint="Log in again for it.")
    return wanted


def _over() -> GrantInvalidError:
    return GrantInvalidError("The refresh token is unknown or over.", hint="Log in again.")
