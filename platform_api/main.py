"""The HTTP application."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from platform_api.dependencies import attach, services
from platform_api.errors import install_error_handlers
from platform_api.ids import IdsMiddleware
from platform_api.routers import auth, bi, errors, health
from platform_core.settings import Settings

ROUTERS = (health.router, errors.router, auth.router, bi.router)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application for these settings (default: those of the environment); `uvicorn --factory` calls it."""
    chosen = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with services(chosen) as made:
            attach(app, made)
            yield

    app = FastAPI(title="Takt", version=version("takt"), lifespan=lifespan)
    install_error_handlers(app)
    app.add_middleware(IdsMiddleware)
    for router in ROUTERS:
        app.include_router(router)
    return app
