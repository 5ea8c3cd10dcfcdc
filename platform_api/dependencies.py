"""What routers ask for: the settings, a pool of connections, an HTTP client."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, cast

import httpx
from fastapi import Depends, FastAPI, Request
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from platform_api.errors import NoWarehouseError
from platform_core.security.authentication import Authenticator
from platform_core.security.context import Security, open_security
from platform_core.settings import Settings
from platform_core.warehouse.connection import Warehouse, known_warehouse

_POOL_MIN, _POOL_MAX = 1, 20
_OPTIONS = "-c timezone=UTC -c jit=off"

Pool = AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]]

_T = TypeVar("_T")


@dataclass(frozen=True)
class Services:
    """What the process holds from its start to its end."""

    settings: Settings
    http: httpx.AsyncClient
    pool: Pool | None = None
    """Connections as takt_api; None where no warehouse has been made yet, and so the three below."""
    warehouse: Warehouse | None = None
    security: Security | None = None
    authenticator: Authenticator | None = None


@asynccontextmanager
async def services(settings: Settings) -> AsyncGenerator[Services]:
    """Open everything without waiting: the process starts while its dependencies are still away, and /ready says so."""
    warehouse = known_warehouse(settings)
    async with httpx.AsyncClient(timeout=2.0) as http:
        if warehouse is None:
            yield Services(settings, http)
            return
        pool: Pool = AsyncConnectionPool(
            warehouse.api_url,
            min_size=_POOL_MIN,
            max_size=_POOL_MAX,
            open=False,
            kwargs={"application_name": "takt-api", "options": _OPTIONS, "connect_timeout": 5},
            check=AsyncConnectionPool.check_connection,
        )
        await pool.open(wait=False)
        try:
            security = open_security(settings, warehouse)
            yield Services(settings, http, pool, warehouse, security, Authenticator(security))
        finally:
            await pool.close()


def attach(app: FastAPI, made: Services) -> None:
    """Let the routers find the services."""
    app.state.services = made


def get_services(request: Request) -> Services:
    """The services of the application that the request came to."""
    return cast(Services, request.app.state.services)


ServicesDependency = Annotated[Services, Depends(get_services)]


def get_warehouse(services: ServicesDependency) -> Warehouse:
    """The warehouse; raises NoWarehouseError."""
    return _made(services.warehouse)


def get_security(services: ServicesDependency) -> Security:
    """Users, keys and tokens; raises NoWarehouseError."""
    return _made(services.security)


def get_authenticator(services: ServicesDependency) -> Authenticator:
    """Who asks; raises NoWarehouseError."""
    return _made(services.authenticator)


WarehouseDependency = Annotated[Warehouse, Depends(get_warehouse)]
SecurityDependency = Annotated[Security, Depends(get_security)]


def _made(thing: _T | None) -> _T:
    if thing is None:
        raise NoWarehouseError(
            "No warehouse has been made here.", hint="Run takt init where the API runs, then start it again."
        )
    return thing
