"""Thirty days of 1,000,000 records from raw to marts, against one sequential scan that sums one JSON field."""

import psycopg

from benchmarks.common import Bench, Result, bench_warehouse, days, median_seconds, seconds
from benchmarks.data import insert_raw_work_orders
from platform_core.clock import utc_now
from platform_core.warehouse.connection import transaction
from platform_core.warehouse.maintenance import ensure_partitions
from platform_core.warehouse.publish import build

RECORDS = 1_000_000
DAYS = 30
SCAN = "select sum((raw_data->>'total_qty')::numeric) from core.erp_mes_data"


def run() -> list[Result]:
    """platform_core without Dagster; Dagster's own time is the difference that `commands` reports."""
    with bench_warehouse() as bench:
        dates = days(DAYS)
        with transaction(bench.warehouse) as conn:
            ensure_partitions(conn, "core.erp_mes_data", dates[0], dates[-1])
            insert_raw_work_orders(conn, tenant_id=bench.tenant_id, first=dates[0], days=DAYS, count=RECORDS)
        with psycopg.connect(bench.warehouse.owner_url, autocommit=True) as conn:
            conn.execute("vacuum analyze core.erp_mes_data")
            conn.execute("set max_parallel_workers_per_gather = 0")
            scan = median_seconds(lambda: conn.execute(SCAN).fetchone())
        first = seconds(lambda: _rebuild(bench))
        again = median_seconds(lambda: _rebuild(bench), times=2)
    return [
        Result(name, scan, took, "s", took / scan, "<= 15 times the scan", took / scan <= 15)
        for name, took in (
            ("30 days of 1,000,000 records, raw to marts, first build", first),
            ("30 days of 1,000,000 records, raw to marts, rebuild", again),
        )
    ]


def _rebuild(bench: Bench) -> None:
    report = build(bench.warehouse, bench.project, days(DAYS), now=utc_now(), run_id="benchmark")
    assert not any(run.failed for run in report.runs)
