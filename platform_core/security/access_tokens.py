"""Access tokens: RS256, named key, one issuer, one audience. Knows no database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any, cast
from uuid import UUID

import jwt

from platform_core.security.contracts import Grants, Locale, Principal, PrincipalKind
from platform_core.security.engine import effective, known_permissions
from platform_core.security.errors import TokenExpiredError, UnauthorizedError
from platform_core.security.keys import KeyRing
from platform_core.security.permissions import Role, permissions_of
from platform_core.security.policy import Policy

_MOST_CHARACTERS = 8192
_LEEWAY = timedelta(seconds=5)
"""Clocks of two machines may differ by so much."""
_REQUIRED = ["iss", "aud", "sub", "exp", "iat", "jti", "tenant_id", "epoch"]


@dataclass(frozen=True)
class VerifiedToken:
    """What a token says whose signature, time, issuer and audience are right. It may have been revoked since."""

    principal: Principal
    epoch: int
    expires_at: datetime
    token_id: str


def issue(keys: KeyRing, policy: Policy, principal: Principal, epoch: int, now: datetime) -> str:
    """A signed token for a principal."""
    key = keys.signing(now)
    claims: dict[str, Any] = {
        "iss": policy.issuer,
        "aud": policy.audience,
        "sub": str(principal.user_id),
        "iat": int(now.timestamp()),
        "exp": int((now + policy.access).timestamp()),
        "jti": token_hex(16),
        "tenant_id": str(principal.tenant_id),
        "tenant": principal.tenant_slug,
        "kind": principal.kind,
        "name": principal.name,
        "roles": sorted(principal.roles),
        "permissions": sorted(principal.permissions),
        "locale": principal.locale,
        "epoch": epoch,
    }
    if principal.scope is not None:
        claims["scope"] = " ".join(sorted(principal.scope))
    if principal.lines is not None:
        claims["lines"] = list(principal.lines)
    return jwt.encode(claims, key.private, algorithm="RS256", headers={"kid": key.kid, "typ": "at+jwt"})


def verify(keys: KeyRing, policy: Policy, token: str, now: datetime) -> VerifiedToken:
    """What the token says; raises TokenExpiredError and UnauthorizedError."""
    if len(token) > _MOST_CHARACTERS:
        raise _refused()
    try:
        header = jwt.get_unverified_header(token)
        key = keys.public(str(header.get("kid")))
        if key is None or header.get("typ") != "at+jwt":
            raise _refused()
        # Only RS256: `none` and a public key taken for a shared secret are not even tried.
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            issuer=policy.issuer,
            audience=policy.audience,
            options={"require": _REQUIRED, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
        verified = _read(claims)
    except (jwt.InvalidTokenError, ValueError, TypeError, KeyError) as error:
        raise _refused() from error
    check_time(verified, now)
    if datetime.fromtimestamp(int(claims["iat"]), UTC) - _LEEWAY > now:
        raise _refused()
    return verified


def check_time(verified: VerifiedToken, now: datetime) -> None:
    """Raise TokenExpiredError when its time is over."""
    if verified.expires_at + _LEEWAY <= now:
        raise TokenExpiredError("The access token's time is over.", hint="Ask for a new one with the refresh token.")


def _read(claims: Mapping[str, Any]) -> VerifiedToken:
    roles = frozenset(Role(role) for role in cast(list[str], claims["roles"]))
    scope = claims.get("scope")
    limit = None if scope is None else known_permissions(str(scope).split())
    by_roles = frozenset[Any]().union(*(permissions_of(role) for role in roles))
    extra = known_permissions(cast(list[str], claims["permissions"])) - by_roles
    lines = claims.get("lines")
    principal = Principal(
        tenant_id=UUID(claims["tenant_id"]),
        tenant_slug=str(claims["tenant"]),
        user_id=UUID(claims["sub"]),
        name=str(claims["name"]),
        kind=cast(PrincipalKind, claims["kind"]),
        roles=roles,
        permissions=effective(Grants(roles, extra), limit),
        lines=None if lines is None else tuple(str(line) for line in cast(list[str], lines)),
        locale=cast(Locale, claims["locale"]),
        scope=limit,
        extra=extra,
    )
    return VerifiedToken(
        principal, int(claims["epoch"]), datetime.fromtimestamp(int(claims["exp"]), UTC), str(claims["jti"])
    )


def _refused() -> UnauthorizedError:
    return UnauthorizedError("The access token is not one of ours.", hint="Log in again.")
