"""Who may call a route: each names its permission with `allowed`, or stands among PUBLIC with the reason."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from platform_api.dependencies import get_authenticator
from platform_api.errors import WrongTenantError
from platform_core.security.authentication import Authenticator
from platform_core.security.contracts import Principal
from platform_core.security.engine import require
from platform_core.security.errors import UnauthorizedError
from platform_core.security.permissions import Permission

PUBLIC: Mapping[str, str] = {
    "/health": "A probe has no credential.",
    "/ready": "A probe has no credential.",
    "/api/v1/errors/{code}": "An error may be about the credential itself.",
    "/api/v1/auth/token": "Credentials are exchanged for a token here.",
    "/api/v1/auth/refresh": "The refresh token is the credential.",
    "/api/v1/auth/revoke": "The token is the credential.",
    "/.well-known/jwks.json": "Whoever gets a token must be able to check it.",
}
"""Routes that anybody may call, and why."""

_bearer = HTTPBearer(auto_error=False, description="An access token, or an API key that begins with takt_.")
_api_key = APIKeyHeader(name="X-API-Key", auto_error=False, description="An API key that begins with takt_.")


async def _principal(
    request: Request,
    authenticator: Annotated[Authenticator, Depends(get_authenticator)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    api_key: Annotated[str | None, Depends(_api_key)],
) -> Principal:
    """Who asks. Mostly found in the caches; otherwise a thread asks the database, so that nobody else waits."""
    credential = bearer.credentials if bearer else api_key
    if credential is None:
        raise UnauthorizedError(
            "The request carries no credential.", hint="Send Authorization: Bearer TOKEN, or X-API-Key: KEY."
        )
    principal = authenticator.without_database(credential)
    if principal is None:
        principal = await run_in_threadpool(authenticator.authenticate, credential)
    named = request.headers.get("x-tenant-id")
    if named is not None and named not in (str(principal.tenant_id), principal.tenant_slug):
        raise WrongTenantError(
            "X-Tenant-ID names another tenant than the one that the credential belongs to.",
            hint="Leave the header out: the tenant comes from the credential.",
        )
    return principal


class _Allowed:
    """Lets a caller in who has the permission; a test reads which one a route asks for."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self, principal: Annotated[Principal, Depends(_principal)]) -> Principal:
        require(principal, self.permission)
        return principal


def allowed(permission: Permission) -> Principal:
    """The dependency of a route: `caller: Annotated[Principal, allowed(Permission.BI_READ)]`."""
    return Depends(_Allowed(permission))


def permissions_of_route(route: APIRoute) -> tuple[Permission, ...]:
    """The permissions that a route asks for; empty for one that asks for none."""

    def found(dependant: Dependant) -> list[Permission]:
        own = [dependant.call.permission] if isinstance(dependant.call, _Allowed) else []
        return own + [each for part in dependant.dependencies for each in found(part)]

    return tuple(found(route.dependant))
