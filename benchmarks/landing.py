"""Landing a file of work orders, against the same rows by a bare COPY and by COPY and merge written by hand."""

import hashlib
import json
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID, uuid4

import psycopg

from benchmarks.common import FIRST_DAY, Bench, Result, bench_warehouse, median_seconds
from platform_core.clock import utc_now
from platform_core.factory.bulk import work_orders_bulk
from platform_core.ingest.contracts import LoadRequest, Rejection
from platform_core.ingest.landing import land
from platform_core.ingest.mapping import compile_mapping, find_mapping, reader_options
from platform_core.ingest.readers import open_reader
from platform_core.warehouse.connection import transaction
from platform_core.warehouse.maintenance import ensure_partitions

RECORDS = 100_000
Row = tuple[UUID, str, str, str, int, date, str, str, bytes]

CREATE_TEMP = """
create temp table bench_rows (
    tenant_id uuid, source_system text, record_type text, source_pk text, source_version bigint, business_date date,
    line_code text, raw_data jsonb, content_hash bytea
) on commit drop
"""
COPY_TEMP = "copy bench_rows from stdin"
MERGE_IDENTITY = """
insert into core.record_identity
select tenant_id, source_system, record_type, source_pk, source_version, now(), 1, business_date, content_hash
from bench_rows
on conflict (tenant_id, record_type, source_system, source_pk) do update set
    source_version = excluded.source_version, business_date = excluded.business_date,
    content_hash = excluded.content_hash
"""
MERGE_RECORDS = """
insert into core.erp_mes_data
select tenant_id, source_system, record_type, source_pk, source_version, business_date, line_code, raw_data,
    content_hash, now(), %(load_id)s, 1, true
from bench_rows
"""
EMPTY = "truncate core.erp_mes_data, core.record_identity, core.dirty_partition"


def run() -> list[Result]:
    """The two rows of the table on landing."""
    with bench_warehouse() as bench, TemporaryDirectory(prefix="takt-bench-") as folder:
        path = Path(folder) / "work_orders.jsonl"
        work_orders_bulk(path, [FIRST_DAY + timedelta(days=n) for n in range(3)], RECORDS, 7)
        with transaction(bench.warehouse) as conn:
            ensure_partitions(conn, "core.erp_mes_data", FIRST_DAY - timedelta(days=1), FIRST_DAY + timedelta(days=4))
        rows = _rows_by_hand(bench, path)
        empty = lambda: _empty(bench)  # noqa: E731
        ours = median_seconds(lambda: _land(bench, path), before=empty)
        merged = median_seconds(lambda: _copy_by_hand(bench, rows, merge=True), before=empty)
        copied = median_seconds(lambda: _copy_by_hand(bench, rows, merge=False), before=empty)
    return [
        _result("landing, against COPY into TEMP and the same merge by hand", merged, ours, 0.60),
        _result("landing, against a bare COPY", copied, ours, 0.25),
    ]


def _result(name: str, reference: float, ours: float, target: float) -> Result:
    ratio = reference / ours
    return Result(name, RECORDS / reference, RECORDS / ours, "rows/s", ratio, f">= {target:.0%}", ratio >= target)


def _empty(bench: Bench) -> None:
    with transaction(bench.warehouse) as conn:
        conn.execute(EMPTY)


def _land(bench: Bench, path: Path) -> None:
    mapping = find_mapping(bench.settings, "default", "takt_mes_work_order")
    to_record = compile_mapping(mapping, timezone="Asia/Seoul")
    request = LoadRequest(bench.tenant_id, "MES", "work_order", str(path), mapping.name, mapping.digest)
    (reader,) = open_reader(path, reader_options(mapping))
    items = (row if isinstance(row, Rejection) else to_record(row) for row in reader.rows())
    result = land(bench.warehouse, bench.settings, bench.project, request, items, now=utc_now())
    assert result.outcomes.landed == RECORDS, result


def _rows_by_hand(bench: Bench, path: Path) -> list[Row]:
    """The rows ready for COPY: made before the clock starts, so the reference pays for the database alone."""
    rows: list[Row] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        payload = json.loads(line)
        text = json.dumps(payload, ensure_ascii=False)
        rows.append(
            (
                bench.tenant_id,
                "MES",
                "work_order",
                payload["work_order_id"],
                1,
                date.fromisoformat(payload["start_time"][:10]),
                payload["line_code"],
                text,
                hashlib.md5(text.encode(), usedforsecurity=False).digest(),
            )
        )
    return rows


def _copy_by_hand(bench: Bench, rows: list[Row], *, merge: bool) -> None:
    with psycopg.connect(bench.warehouse.owner_url) as conn:
        conn.execute(CREATE_TEMP)
        with conn.cursor() as cursor, cursor.copy(COPY_TEMP) as copy:
            for row in rows:
                copy.write_row(row)
        if merge:
            conn.execute(MERGE_IDENTITY)
            conn.execute(MERGE_RECORDS, {"load_id": uuid4()})
