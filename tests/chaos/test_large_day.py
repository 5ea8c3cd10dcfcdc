"""One production date of a million work orders, from a file to the marts, within 2 GiB of memory."""

import json
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from platform_core.factory.bulk import BULK_LINES, work_orders_bulk
from platform_core.factory.files import write_master_data
from platform_core.factory.plants import make_plants
from platform_core.settings import Settings
from platform_core.warehouse import embedded
from platform_core.warehouse.connection import Warehouse
from platform_core.warehouse.embedded import processes
from tests.chaos.proof import record
from tests.end_to_end.factory_period import LAST
from tests.end_to_end.warehouse_of_factory import query

pytestmark = pytest.mark.chaos

RECORDS = 1_000_000
LIMIT_GIB = 2.0
ROOT = Path(__file__).parents[2]


def test_a_day_of_a_million_records_within_2_gib(durable: Warehouse, home: Settings, tmp_path: Path) -> None:
    (plant,) = make_plants(1, BULK_LINES)
    files = [(tmp_path / file.path, file.mapping) for file in write_master_data(tmp_path, plant)]
    day = LAST - timedelta(days=1)
    totals = work_orders_bulk(tmp_path / "day.jsonl", [day], RECORDS, seed=1, plant=plant)
    files.append((tmp_path / "day.jsonl", "takt_mes_work_order"))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.large_day", plant.timezone, *(f"{m}={p}" for p, m in files)],
        cwd=ROOT,
        env={**os.environ, "TAKT_HOME": str(home.home), "PYTHONWARNINGS": "ignore"},
        stdout=subprocess.PIPE,
        text=True,
    )
    server_peak = _watch(process, home)
    output = process.communicate()[0]
    assert process.returncode == 0, output
    figures = json.loads(output.splitlines()[-1])
    rows = query(durable, "select * from bi.fact_daily_production")
    assert len(rows) == len(totals.rows())
    for name in ("total_qty", "good_qty", "defect_qty", "runtime_minutes", "downtime_minutes", "work_order_count"):
        assert sum(row[name] for row in rows) == sum(row[name] for row in totals.rows()), name
    client = figures.pop("peak_rss_bytes") / 2**30
    record(
        "large_day",
        figures
        | {
            "records": RECORDS,
            "client_peak_gib": round(client, 2),
            "server_peak_gib": round(server_peak / 2**30, 2),
            "limit_gib": LIMIT_GIB,
        },
    )
    assert client + server_peak / 2**30 < LIMIT_GIB


def _watch(process: subprocess.Popen[str], home: Settings) -> int:
    """The most memory that the server's processes held at once, shared pages counted once; 0 where it can't be told."""
    server = embedded.remembered(home)
    assert server is not None
    postmaster = processes.postmaster(server.state)
    assert postmaster is not None
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(_share(each) for each in [postmaster, *postmaster.children()]))
        time.sleep(0.25)
    return peak


def _share(process: psutil.Process) -> int:
    try:
        return getattr(process.memory_full_info(), "pss", 0)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0
