"""A server that is away is waited for once in a run, whatever is to be asked of it; everything else goes on."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from platform_assets.run import run_dates
from platform_core.factory.erp_sources import source_files
from platform_core.tenants.service import create_tenant
from platform_core.warehouse.connection import transaction
from tests.platform_assets.place import DAY, Place
from tests.platform_assets.test_operations import MES_FILE

RETRIES = 2


@contextmanager
def answering(status: int) -> Generator[tuple[str, list[str]]]:
    """A server that answers everything with one status; its address, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def add_sources(place: Place, tenant: str, url: str, *names: str) -> None:
    folder = place.settings.home / "tenants" / tenant / "sources"
    folder.mkdir(parents=True, exist_ok=True)
    retries = f"reader:\n  retries: {RETRIES}\n  backoff_seconds: 0.01\n"
    for name in names:
        text = source_files(url, tenant)[name].replace("reader:\n", retries)
        dated = "  dates:\n    type: date\n    params: {from: '{from}', to: '{to}'}\n"
        (folder / f"{name}.yml").write_text(text.rstrip("\n") + "\n" + dated, encoding="utf-8")


@pytest.fixture
def fed(place: Place, tmp_path: Path) -> Place:
    """Two tenants, and a file of work orders of the first."""
    with transaction(place.warehouse) as conn:
        create_tenant(conn, "other", "Other", "Asia/Seoul")
    folder = place.settings.home / "tenants" / "default" / "sources"
    folder.mkdir(parents=True)
    (tmp_path / f"mes-{DAY}.csv").write_text(MES_FILE)
    (folder / "mes.yml").write_text(f"mapping: takt_mes_work_order\npath: {tmp_path}/mes-*.csv\n")
    return place


NAMES = ("erp_work_orders", "erp_orders", "erp_inventory")
SELECT = ["raw/work_order", "raw/order", "raw/inventory", "stg_work_order"]


def test_a_run_over_many_dates_waits_for_a_dead_server_once_and_publishes_the_rest(fed: Place) -> None:
    with answering(503) as (url, asked):
        for tenant in ("default", "other"):
            add_sources(fed, tenant, url, *NAMES)
        summary = run_dates(fed.settings, DAY, DAY + timedelta(days=29), select=SELECT)
        assert len(asked) == RETRIES + 1, summary.failures
        failed = {(one.tenant, one.reason.split()[1].rstrip(":")) for one in summary.failures}
        assert failed == {(tenant, name) for tenant in ("default", "other") for name in NAMES}
        assert all("failed 3 times, the last time with status 503" in one.reason for one in summary.failures)
        assert fed.rows("select date, good_qty from staging.stg_work_order") == [(DAY, 1390)]

        run_dates(fed.settings, DAY, DAY, select=SELECT)
        assert len(asked) == 2 * (RETRIES + 1), "the next run asks it again"


def test_a_dead_server_keeps_nobody_from_asking_another_one(fed: Place) -> None:
    with answering(503) as (dead, asked_in_vain), answering(404) as (other, asked):
        add_sources(fed, "default", dead, *NAMES)
        add_sources(fed, "other", other, *NAMES)
        run_dates(fed.settings, DAY, DAY, select=SELECT)
        assert len(asked_in_vain) == RETRIES + 1
        # A resource that is not there says nothing about the others.
        assert len(asked) == len(NAMES)


def test_a_server_that_refuses_connections_is_away_too(fed: Place) -> None:
    with answering(503) as (url, _):
        pass
    add_sources(fed, "default", url, *NAMES)
    summary = run_dates(fed.settings, DAY, DAY, select=SELECT)
    assert len({one.reason.partition(": ")[2] for one in summary.failures}) == 1
    assert len(summary.failures) == len(NAMES)
