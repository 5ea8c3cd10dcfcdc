"""What every benchmark shares: a warehouse of its own, medians, and the form of a result."""

import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import psutil
from pydantic import PostgresDsn

from dbt_like_sql.project import Project, load_project
from platform_core.settings import Settings
from platform_core.tenants.service import get_tenant
from platform_core.warehouse import embedded
from platform_core.warehouse.connection import Warehouse, transaction
from platform_core.warehouse.setup import prepare

RESULTS = Path(__file__).parent / "results.json"
FIRST_DAY = date(2026, 3, 1)


@dataclass(frozen=True)
class Result:
    """One line of results.json. `ratio` is ours against the reference in the sense that `target` states."""

    name: str
    reference: float
    ours: float
    unit: str
    ratio: float
    target: str
    met: bool


@dataclass(frozen=True)
class Bench:
    """A prepared warehouse on a server of its own."""

    settings: Settings
    warehouse: Warehouse
    project: Project
    tenant_id: UUID


@contextmanager
def bench_warehouse() -> Iterator[Bench]:
    """An embedded server with default durability in a temporary home, gone afterwards."""
    with TemporaryDirectory(prefix="takt-bench-") as folder:
        settings = Settings(home=Path(folder) / "home", database_url=None, api_database_url=None)
        warehouse = prepare(settings)
        try:
            with transaction(warehouse) as conn:
                tenant = get_tenant(conn, "default")
            yield Bench(settings, warehouse, load_project(), tenant.id)
        finally:
            embedded.stop(settings)


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def median_seconds(work: Callable[[], object], *, times: int = 3, before: Callable[[], object] | None = None) -> float:
    """Median of several calls; `before` runs before each one and is not timed."""
    measured: list[float] = []
    for _ in range(times):
        if before is not None:
            before()
        measured.append(seconds(work))
    return statistics.median(measured)


def days(count: int) -> list[date]:
    """The first `count` production dates of the benchmark's factory."""
    return [FIRST_DAY + timedelta(days=n) for n in range(count)]


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    return {
        "cpu_count": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
        "system": platform.system(),
        "architecture": platform.machine(),
    }


def as_url(url: str) -> PostgresDsn:
    """A plain connection string as the settings hold it."""
    return PostgresDsn(url)


def write_results(results: list[Result]) -> None:
    """Replace results.json."""
    document = [asdict(result) | {"machine": machine()} for result in results]
    RESULTS.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
