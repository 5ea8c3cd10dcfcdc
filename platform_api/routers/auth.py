"""Tokens: RFC 6749 (grants), RFC 7009 (revocation), RFC 7517 (the key set). Their shapes are those of the standards."""

import base64
import binascii
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from platform_api.authorisation import allowed
from platform_api.dependencies import SecurityDependency
from platform_api.envelope import Answer, meta_of
from platform_core.security.contracts import Principal, Secret
from platform_core.security.errors import ClientInvalidError, OAuthError
from platform_core.security.permissions import Permission
from platform_core.security.service.tokens import TokenRequest, exchange, revoke_token

router = APIRouter(tags=["auth"])

_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class TokenForm(BaseModel):
    """A token request as RFC 6749 has it; which fields are needed depends on the grant."""

    grant_type: str = Field(examples=["client_credentials"], max_length=60)
    client_id: str | None = Field(default=None, max_length=200)
    client_secret: str | None = Field(default=None, max_length=200)
    scope: str | None = Field(default=None, max_length=2000)
    code: str | None = Field(default=None, max_length=200)
    redirect_uri: str | None = Field(default=None, max_length=2000)
    code_verifier: str | None = Field(default=None, max_length=200)
    refresh_token: str | None = Field(default=None, max_length=200)
    tenant_id: str | None = Field(default=None, max_length=100, description="Slug of the tenant, for a password.")
    username: str | None = Field(default=None, max_length=320)
    password: str | None = Field(default=None, max_length=1024)


class TokenAnswer(BaseModel):
    """Tokens as RFC 6749 answers them, without the envelope that a standard client would not look into."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str
    tenant_id: UUID
    refresh_token: str | None = None


class Caller(BaseModel):
    """Who asks, as the API sees them."""

    tenant_id: UUID
    tenant: str
    user_id: UUID
    name: str
    kind: str
    roles: list[str]
    permissions: list[str]
    lines: list[str] | None
    locale: str


@router.post("/api/v1/auth/token", response_model=TokenAnswer)
def token(request: Request, security: SecurityDependency, form: Annotated[TokenForm, Form()]) -> Response:
    """Tokens for a client, a code, a refresh token or (where allowed) a password."""
    return _tokens(request, security, form)


@router.post("/api/v1/auth/refresh", response_model=TokenAnswer)
def refresh(
    request: Request, security: SecurityDependency, refresh_token: Annotated[str, Form(max_length=200)]
) -> Response:
    """New tokens for a refresh token, which works once."""
    return _tokens(request, security, TokenForm(grant_type="refresh_token", refresh_token=refresh_token))


@router.post("/api/v1/auth/revoke", status_code=200)
def revoke(
    request: Request, security: SecurityDependency, token: Annotated[str, Form(max_length=8000)]
) -> dict[str, Any]:
    """End a token, and with a refresh token all that came from the same login. Unknown ones are ended already."""
    try:
        client_id, secret = _client(request)
        revoke_token(security, Secret(token), client_id, secret)
    except OAuthError as error:
        return _refused(error)  # type: ignore[return-value]
    return {}


@router.get("/.well-known/jwks.json")
def jwks(security: SecurityDependency) -> dict[str, Any]:
    """The public keys that tokens are signed with."""
    return security.keys.key_set(security.clock())


@router.get("/api/v1/auth/me")
def me(request: Request, caller: Annotated[Principal, allowed(Permission.BI_READ)]) -> Answer[Caller]:
    """Who the caller is and what they may do."""
    found = Caller(
        tenant_id=caller.tenant_id,
        tenant=caller.tenant_slug,
        user_id=caller.user_id,
        name=caller.name,
        kind=caller.kind,
        roles=sorted(caller.roles),
        permissions=sorted(caller.permissions),
        lines=None if caller.lines is None else list(caller.lines),
        locale=caller.locale,
    )
    return Answer(data=found, meta=meta_of(request))


def _tokens(request: Request, security: SecurityDependency, form: TokenForm) -> Response:
    try:
        client_id, secret = _client(request)
        given = exchange(security, _request_of(form, client_id, secret))
    except OAuthError as error:
        return _refused(error)
    body = TokenAnswer(
        access_token=given.access_token,
        token_type=given.token_type,
        expires_in=given.expires_in,
        scope=" ".join(given.scope),
        tenant_id=given.tenant_id,
        refresh_token=given.refresh_token,
    )
    return JSONResponse(body.model_dump(mode="json", exclude_none=True), headers=_NO_STORE)


def _request_of(form: TokenForm, client_id: str | None, secret: Secret | None) -> TokenRequest:
    return TokenRequest(
        grant_type=form.grant_type,
        client_id=client_id or form.client_id,
        client_secret=secret or _secret(form.client_secret),
        scope=form.scope,
        code=_secret(form.code),
        redirect_uri=form.redirect_uri,
        code_verifier=_secret(form.code_verifier),
        refresh_token=_secret(form.refresh_token),
        tenant=form.tenant_id,
        username=form.username,
        password=_secret(form.password),
    )


def _secret(text: str | None) -> Secret | None:
    return Secret(text) if text else None


def _client(request: Request) -> tuple[str | None, Secret | None]:
    """The client of a Basic header; raises ClientInvalidError for one that is none."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None, None
    try:
        name, separator, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        separator = name = secret = ""
    if not separator:
        raise ClientInvalidError("The Authorization header is not Basic with client and secret.")
    return name, Secret(secret)


def _refused(error: OAuthError) -> JSONResponse:
    """The answer of RFC 6749, 5.2."""
    status = 401 if isinstance(error, ClientInvalidError) else 400
    headers = _NO_STORE | ({"WWW-Authenticate": 'Basic realm="takt"'} if status == 401 else {})
    said = error.message if error.hint is None else f"{error.message} {error.hint}"
    return JSONResponse({"error": error.oauth_error, "error_description": said}, status_code=status, headers=headers)
