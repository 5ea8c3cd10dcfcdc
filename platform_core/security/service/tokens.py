"""The token endpoint without HTTP: one request, of whatever grant, becomes tokens."""

from dataclasses import dataclass
from typing import TypeVar

from platform_core.security.context import Security
from platform_core.security.contracts import OAuthClient, Secret, Tokens
from platform_core.security.errors import (
    GrantInvalidError,
    GrantUnsupportedError,
    LoginFailedError,
    RequestInvalidError,
)
from platform_core.security.service.codes import Redemption, redeem_code
from platform_core.security.service.login import Credentials, login
from platform_core.security.service.machines import KnownClient, authenticate_client, client_credentials
from platform_core.security.service.sessions import refresh, revoke

_T = TypeVar("_T")


@dataclass(frozen=True)
class TokenRequest:
    """The fields of a form that is sent to a token endpoint; the client's may come from a Basic header."""

    grant_type: str
    client_id: str | None = None
    client_secret: Secret | None = None
    scope: str | None = None
    code: Secret | None = None
    redirect_uri: str | None = None
    code_verifier: Secret | None = None
    refresh_token: Secret | None = None
    tenant: str | None = None
    username: str | None = None
    password: Secret | None = None


def exchange(security: Security, request: TokenRequest) -> Tokens:
    """Tokens for a request. Raises OAuthError, whose `oauth_error` is the word of RFC 6749 for it."""
    if request.grant_type == "client_credentials":
        return client_credentials(security, _client_of(security, request), request.scope)
    if request.grant_type == "authorization_code":
        return _redeem(security, request)
    if request.grant_type == "refresh_token":
        return refresh(
            security,
            _needed(request.refresh_token, "refresh_token"),
            client=_client(security, request),
            scope=request.scope,
        )
    if request.grant_type == "password" and security.policy.password_grant:
        return _by_password(security, request)
    raise GrantUnsupportedError(
        f"The grant {request.grant_type[:40]!r} is not offered.",
        hint="authorization_code, client_credentials or refresh_token.",
    )


def revoke_token(security: Security, token: Secret, client_id: str | None, client_secret: Secret | None) -> None:
    """The revocation endpoint: a client's tokens are ended by that client, others by whoever holds them."""
    client = authenticate_client(security, client_id, client_secret).client if client_id else None
    revoke(security, token, client=client)


def _redeem(security: Security, request: TokenRequest) -> Tokens:
    redemption = Redemption(
        code=_needed(request.code, "code"),
        redirect_uri=_needed(request.redirect_uri, "redirect_uri"),
        code_verifier=_needed(request.code_verifier, "code_verifier"),
    )
    return redeem_code(security, redemption, _client_of(security, request).client)


def _by_password(security: Security, request: TokenRequest) -> Tokens:
    credentials = Credentials(
        _needed(request.tenant, "tenant_id"),
        _needed(request.username, "username"),
        _needed(request.password, "password"),
    )
    try:
        return login(security, credentials, request.scope)
    except LoginFailedError as error:
        raise GrantInvalidError(error.message, hint=error.hint) from error


def _client(security: Security, request: TokenRequest) -> OAuthClient | None:
    if request.client_id is None:
        return None
    return authenticate_client(security, request.client_id, request.client_secret).client


def _client_of(security: Security, request: TokenRequest) -> KnownClient:
    return authenticate_client(security, _needed(request.client_id, "client_id"), request.client_secret)


def _needed(value: _T | None, name: str) -> _T:
    if value is None:
        raise RequestInvalidError(f"{name} is missing.")
    return value
