"""What routers ask for: the settings, a pool of connections, an HTTP client."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, cast

import httpx
from fastapi import Depends, FastAPI, Request
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from platform_core.settings import Settings
from platform_core.warehouse.connection import external_warehouse
from platform_core.warehouse.embedded import remembered

_POOL_MIN, _POOL_MAX = 1, 20
_OPTIONS = "-c timezone=UTC -c jit=off"

Pool = AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]]


@dataclass(frozen=True)
class Services:
    """What the process holds from its start to its end."""

    settings: Settings
    pool: Pool | None
    """Connections as takt_api; None where no warehouse has been made yet."""
    http: httpx.AsyncClient


@asynccontextmanager
async def services(settings: Settings) -> AsyncGenerator[Services]:
    """Open everything without waiting: the process starts while its dependencies are still away, and /ready says so."""
    url = _api_url(settings)
    async with httpx.AsyncClient(timeout=2.0) as http:
        if url is None:
            yield Services(settings, None, http)
            return
        pool: Pool = AsyncConnectionPool(
            url,
            min_size=_POOL_MIN,
            max_size=_POOL_MAX,
            open=False,
            kwargs={"application_name": "takt-api", "options": _OPTIONS, "connect_timeout": 5},
            check=AsyncConnectionPool.check_connection,
        )
        await pool.open(wait=False)
        try:
            yield Services(settings, pool, http)
        finally:
            await pool.close()


def attach(app: FastAPI, made: Services) -> None:
    """Let the routers find the services."""
    app.state.services = made


def get_services(request: Request) -> Services:
    """The services of the application that the request came to."""
    return cast(Services, request.app.state.services)


ServicesDependency = Annotated[Services, Depends(get_services)]


def _api_url(settings: Settings) -> str | None:
    """Where the API's role connects; the API starts no server."""
    external = external_warehouse(settings)
    if external is not None:
        return external.api_url
    server = remembered(settings)
    return server.url("takt_api", "takt") if server else None
