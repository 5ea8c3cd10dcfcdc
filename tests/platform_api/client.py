"""Asks an application in this process, with its start and end."""

import asyncio
from typing import Any

import httpx
from fastapi import FastAPI


def ask(app: FastAPI, method: str, path: str, *, raise_app_exceptions: bool = True, **request: Any) -> httpx.Response:
    """One request to an application that was started for it."""

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=raise_app_exceptions)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://takt") as client,
        ):
            return await client.request(method, path, **request)

    return asyncio.run(asked())
