"""Which of the things that the API needs are there."""

from dataclasses import dataclass
from typing import Any, Literal

import httpx
import psycopg
from psycopg_pool import PoolTimeout

from platform_api.dependencies import Services
from platform_core.warehouse.migrate import head
from platform_core.warehouse.store import migrations as sql

Name = Literal["warehouse", "migrations", "dagster"]

_POOL_WAIT_SECONDS = 2.0


@dataclass(frozen=True)
class Dependency:
    """One thing that is needed: whether it is there, and if not, what is wrong."""

    name: Name
    ready: bool
    detail: str


async def dependencies(services: Services) -> tuple[Dependency, ...]:
    """The state of each dependency, asked now."""
    return (*await _warehouse(services), await _dagster(services))


async def _warehouse(services: Services) -> tuple[Dependency, ...]:
    unknown = Dependency("migrations", False, "Unknown while the warehouse is away.")
    if services.pool is None:
        return Dependency("warehouse", False, "No warehouse has been made here; run takt init."), unknown
    try:
        async with services.pool.connection(timeout=_POOL_WAIT_SECONDS) as conn:
            found = await _revision(conn)
    except (psycopg.OperationalError, PoolTimeout) as error:
        return Dependency("warehouse", False, str(error).strip().split("\n", 1)[0]), unknown
    there = Dependency("warehouse", True, "It answers.")
    if found == head():
        return there, Dependency("migrations", True, f"At revision {found}.")
    wrong = f"At revision {found or 'none'}, {head()} is needed; run takt init."
    return there, Dependency("migrations", False, wrong)


async def _revision(conn: psycopg.AsyncConnection[tuple[Any, ...]]) -> str | None:
    exists = await (await conn.execute(sql.TABLE_EXISTS)).fetchone()
    if not exists or not exists[0]:
        return None
    try:
        row = await (await conn.execute(sql.CURRENT)).fetchone()
    except psycopg.errors.InsufficientPrivilege:  # granted by the second revision
        return "0001"
    return str(row[0]) if row else None


async def _dagster(services: Services) -> Dependency:
    url = services.settings.dagster_webserver_url
    if url is None:
        return Dependency("dagster", False, "TAKT_DAGSTER_WEBSERVER_URL is not set; takt up sets it.")
    try:
        answer = await services.http.get(f"{str(url).rstrip('/')}/server_info")
    except httpx.HTTPError as error:
        return Dependency("dagster", False, f"Nothing answers at {url}: {error or type(error).__name__}")
    if answer.is_success:
        return Dependency("dagster", True, f"It answers at {url}.")
    return Dependency("dagster", False, f"{url} answers {answer.status_code}.")
