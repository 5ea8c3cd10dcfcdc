"""kill -9 while master data, a source's pull or the inbox come in: the same again ends where no crash would have."""

import json
import sqlite3
from pathlib import Path

from platform_core.settings import Settings
from platform_core.tenants.service import create_tenant
from platform_core.warehouse.connection import Warehouse, transaction
from tests.crashing import run_cases
from tests.end_to_end.warehouse_of_factory import Plants, Row, build_dirty, land_rows
from tests.ingest.landing_help import rows

POINTS = (
    "landing.after_copy@shift",
    "landing.before_commit@shift",
    "landing.after_commit@shift",
    "landing.before_commit@order",
    "landing.after_commit@order",
    "watermark.before_commit@mes",
    "watermark.after_commit@mes",
    "inbox.after_take",
    "landing.before_commit@work_order",
    "inbox.after_read",
    "inbox.after_report",
    "inbox.after_move",
)
UNDISTURBED = "undisturbed"
MAPPING = """
source_system: erp
record_type: order
version: changed
fields: {order_id: id, customer_code: {constant: C}, product_code: {constant: P1}, order_qty: total,
  delivery_date: {constant: '2026-03-09'}}
"""
SHOWN = {
    "raw": "select source_system, source_pk, source_version, business_date, raw_data, is_current "
    "from core.erp_mes_data where tenant_id = %(tenant)s",
    "master": "select record_type, source_pk, source_version, raw_data from core.master_record "
    "where tenant_id = %(tenant)s",
    "production": "select date, line_code, product_code, shift, total_qty from bi.fact_daily_production "
    "where tenant_id = %(tenant)s",
    "orders": "select date, product_code, ordered_qty from bi.fact_order_daily where tenant_id = %(tenant)s",
    "shifts": "select shift_code, start_time, end_time from bi.dim_shift where tenant_id = %(tenant)s",
    "watermark": "select source_name, watermark from core.source_watermark where tenant_id = %(tenant)s",
    "dirty": "select model, date from core.dirty_partition where tenant_id = %(tenant)s and due_at <= now()",
}


def work_order(number: int, **fields: object) -> Row:
    """At 06:30: of the night shift of the day before, until the day shift begins at 06:00."""
    return {
        "work_order_id": f"WO-{number}",
        "line_code": "L01",
        "product_code": "P1",
        "start_time": f"2026-03-0{number + 2}T06:30:00+09:00",
        "end_time": f"2026-03-0{number + 2}T07:30:00+09:00",
        "total_qty": 10 * number,
        "good_qty": 10 * number,
        "defect_qty": 0,
        "updated_at": "2026-03-09T01:00:00+09:00",
        **fields,
    }


def shifts(change: str, updated: str) -> list[Row]:
    """Two shifts that change at this time."""
    common = {"updated_at": updated}
    return [
        {"shift_code": "day", "name": "day", "start_time": change, "end_time": "18:00", "shift_order": 1, **common},
        {"shift_code": "night", "name": "night", "start_time": "18:00", "end_time": change, "shift_order": 2, **common},
    ]


def write(path: Path, lines: list[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return path


def prepare_home(home: Path, slug: str) -> None:
    """A source to pull from, and a file in the inbox."""
    folder = home / "tenants" / slug
    for name, text in {
        "mappings/db": MAPPING,
        "sources/mes": f"mapping: db\nreader: {{type: sql, url: 'sqlite:///{home}/erp.db', table: orders, "
        "incremental: {column: changed}}\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    late = work_order(4, total_qty=7, good_qty=7)
    write(home / "inbox" / slug / "takt_mes_work_order" / "late.jsonl", [late, work_order(1, updated_at="2026-03-09")])


def test_what_is_killed_on_its_way_in_and_sent_again_equals_an_undisturbed_run(
    warehouse: Warehouse, settings: Settings
) -> None:
    home = settings.home
    home.mkdir(parents=True)
    with sqlite3.connect(home / "erp.db") as db:
        db.execute("create table orders (id text, total int, changed text)")
        db.execute("insert into orders values ('A', 10, '2026-03-07 10:00:00'), ('B', 20, '2026-03-08 10:00:00')")
    db.close()
    slugs = {UNDISTURBED: ""} | {f"plant-{number}": point for number, point in enumerate(POINTS)}
    with transaction(warehouse) as conn:
        tenants = {slug: create_tenant(conn, slug, slug, "Asia/Seoul") for slug in slugs}
    plants = Plants(warehouse, settings, tenants)
    for slug in slugs:
        prepare_home(home, slug)
        land_rows(plants, slug, shifts("07:00", "2026-03-01"), "takt_shift")
        land_rows(plants, slug, [work_order(number) for number in (1, 2, 3)])
    build_dirty(warehouse)
    case = {"url": warehouse.owner_url, "home": str(home)}
    case["shifts"] = str(write(home / "shifts.jsonl", shifts("06:00", "2026-03-08")))
    run_cases("ingest", [{"at": point, "tenant": slug, **case} for slug, point in slugs.items()])
    run_cases("ingest", [{"at": "", "tenant": slug, **case} for slug in slugs if slug != UNDISTURBED])
    build_dirty(warehouse)

    def shown(slug: str) -> dict[str, list[str]]:
        tenant = tenants[slug].id
        return {name: sorted(map(str, rows(warehouse, query, tenant=tenant))) for name, query in SHOWN.items()}

    expected = shown(UNDISTURBED)
    assert {name: len(found) for name, found in expected.items()} == {
        "raw": 10,
        "master": 2,
        "production": 4,
        "orders": 1,
        "shifts": 2,
        "watermark": 1,
        "dirty": 0,
    }
    for slug, point in slugs.items():
        assert shown(slug) == expected, point
        inbox = home / "inbox" / slug
        (done,) = [path for path in (inbox / "done").iterdir() if path.suffix == ".jsonl"]
        assert done.with_name(f"{done.name}.report.json").is_file(), point
        assert [*inbox.rglob("late.jsonl")] == [], point
