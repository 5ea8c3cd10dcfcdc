"""Authorization code with PKCE (RFC 6749, 7636): the login page makes a code, the program redeems it."""

import hmac
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from platform_core.security.accounts import Account, get_account
from platform_core.security.context import Security, digest, new_secret
from platform_core.security.contracts import (
    AuthorizationRequest,
    CheckedAuthorization,
    OAuthClient,
    Secret,
    Tokens,
    User,
)
from platform_core.security.engine import is_challenge, known_permissions, parse_scope, proves
from platform_core.security.errors import GrantInvalidError, RequestInvalidError, ScopeInvalidError
from platform_core.security.service.machines import find_client
from platform_core.security.service.sessions import Family, end_family, issue_tokens
from platform_core.security.store import sessions as sql

_LOOPBACK = ("127.0.0.1", "::1")


@dataclass(frozen=True)
class Redemption:
    """What a program sends for a code."""

    code: Secret
    redirect_uri: str
    code_verifier: Secret


@dataclass(frozen=True)
class _Code:
    tenant_id: UUID
    client_id: UUID
    user_id: UUID
    redirect_uri: str
    code_challenge: str
    scope: list[str] | None
    family: UUID
    expires_at: datetime
    used_at: datetime | None


def check_authorization(security: Security, request: AuthorizationRequest) -> CheckedAuthorization:
    """A request that may be shown a login page. Raises ClientInvalidError, RequestInvalidError and ScopeInvalidError.

    What it raises must be shown and not sent to the redirect URI, which may be an attacker's.
    """
    with security.begin() as conn:
        known = find_client(conn, request.client_id, security.clock())
    client = known.client
    if not any(_is_redirect(registered, request.redirect_uri) for registered in client.redirect_uris):
        raise RequestInvalidError("redirect_uri is not one that the client is registered with.")
    if request.response_type != "code":
        raise RequestInvalidError("response_type must be code.")
    if request.code_challenge_method != "S256" or not is_challenge(request.code_challenge):
        raise RequestInvalidError("PKCE is needed: code_challenge_method S256 and a code_challenge of 43 characters.")
    wanted = parse_scope(request.scope)
    if client.scopes:
        had = frozenset(client.scopes)
        if wanted is not None and not wanted <= had:
            raise ScopeInvalidError(f"The client may not have {', '.join(sorted(wanted - had))}.")
        wanted = wanted or had
    scope = None if wanted is None else tuple(sorted(wanted))
    return CheckedAuthorization(client, known.tenant_slug, request.redirect_uri, request.code_challenge, scope)


def create_code(security: Security, checked: CheckedAuthorization, user: User) -> Secret:
    """A code for somebody who has just logged in, good once and for a minute."""
    if user.tenant_id != checked.client.tenant_id:
        raise RequestInvalidError("The user and the client are of different tenants.")
    code, now = new_secret(), security.clock()
    values = {
        "code_hash": digest(code),
        "tenant_id": user.tenant_id,
        "client_id": checked.client.id,
        "user_id": user.id,
        "redirect_uri": checked.redirect_uri,
        "code_challenge": checked.code_challenge,
        "scope": None if checked.scope is None else list(checked.scope),
        "now": now,
        "expires_at": now + security.policy.code,
    }
    with security.begin() as conn:
        conn.execute(sql.INSERT_CODE, values)
    return Secret(code)


def redeem_code(security: Security, redemption: Redemption, client: OAuthClient) -> Tokens:
    """Tokens for a code, by the client that has proved who it is. Raises GrantInvalidError.

    A code that comes a second time was seen by somebody else: what the first one got ends.
    """
    with security.begin() as conn:
        outcome = _redeem(conn, security, redemption, client)
    if isinstance(outcome, GrantInvalidError):
        security.changes.tell()
        raise outcome
    return outcome


def _redeem(
    conn: psycopg.Connection, security: Security, redemption: Redemption, client: OAuthClient
) -> Tokens | GrantInvalidError:
    """Returns the refusal instead of raising it: a code is used up by a wrong try, and that must be committed."""
    now = security.clock()
    values = {"code_hash": digest(redemption.code.value)}
    code = conn.cursor(row_factory=class_row(_Code)).execute(sql.FIND_CODE, values).fetchone()
    if code is None:
        return _over()
    if code.used_at is not None:
        end_family(conn, code.tenant_id, code.user_id, code.family, now)
        return GrantInvalidError("The code was used before; all tokens of this login are over.")
    conn.execute(sql.USE_CODE, values | {"tenant_id": code.tenant_id, "now": now})
    same_place = hmac.compare_digest(code.redirect_uri.encode(), redemption.redirect_uri.encode("utf-8", "replace"))
    proved = proves(redemption.code_verifier.value, code.code_challenge)
    if code.expires_at <= now or code.client_id != client.id or not same_place or not proved:
        return _over()
    account: Account | None = get_account(conn, code.tenant_id, code.user_id)
    if account is None or not account.usable:
        return _over()
    scope = None if code.scope is None else known_permissions(code.scope)
    return issue_tokens(conn, security, account, scope, client, Family(code.family, now))


def _is_redirect(registered: str, given: str) -> bool:
    """The same, character by character; a program on loopback may listen on any port (RFC 8252, 7.3)."""
    if registered == given:
        return True
    try:
        one, other = urlsplit(registered), urlsplit(given)
        hosts, _ = (one.hostname, other.hostname), other.port
    except ValueError:
        return False
    if one.scheme != "http" or hosts[0] not in _LOOPBACK or hosts[0] != hosts[1] or other.username is not None:
        return False
    return (one.scheme, one.path, one.query, "") == (other.scheme, other.path, other.query, other.fragment)


def _over() -> GrantInvalidError:
    return GrantInvalidError("The code is unknown, over, or not for this client, address and verifier.")
