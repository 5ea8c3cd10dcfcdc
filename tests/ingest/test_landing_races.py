"""Orders, repetitions, two loads at once, and kills: the same records end up current."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from platform_core.ingest.contracts import LoadRequest, MappedRecord, Outcomes
from platform_core.ingest.landing import land
from platform_core.ingest.loads import fail_interrupted
from platform_core.ingest.reports import add_outcomes
from platform_core.ingest.store.records import microseconds
from platform_core.ingest.versions import Known, settle
from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from platform_core.warehouse.connection import Warehouse
from tests.ingest.landing_help import NOW, counts, current, load, project, rows, work_order

Row = tuple[str, int | None, int]
ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 3), st.integers(0, 3)), max_size=12)
SLOW = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
STORED = """
select source_pk, source_version, business_date, raw_data, is_current from core.erp_mes_data
where tenant_id = %(tenant)s order by source_pk, source_version, raw_data::text
"""


def record(number: int, row: Row) -> MappedRecord:
    pk, version, total = row
    return work_order(pk, number=number, version=version, total_qty=total, good_qty=total, defect_qty=0)


def land_rows(warehouse: Warehouse, config: Settings, tenant: Tenant, system: str, items: list[Row]) -> Outcomes:
    request = LoadRequest(tenant.id, system, "work_order", "rows", "mes", "digest")
    records = [record(number, row) for number, row in enumerate(items)]
    return land(warehouse, config, project(), request, records, now=NOW).outcomes


def current_totals(warehouse: Warehouse, system: str) -> dict[str, tuple[int, int]]:
    query = """
        select source_pk, source_version, (raw_data ->> 'total_qty')::int
        from core.erp_mes_data where is_current and source_system = %(system)s"""
    found = rows(warehouse, query, system=system)
    identity = "select source_pk, source_version from core.record_identity where source_system = %(system)s"
    assert dict(rows(warehouse, identity, system=system)) == {pk: version for pk, version, _ in found}
    assert len({pk for pk, _, _ in found}) == len(found)
    return {pk: (version, total) for pk, version, total in found}


@given(loads=st.lists(ROWS, min_size=1, max_size=3))
@SLOW
def test_loads_end_as_if_every_row_came_alone(
    warehouse: Warehouse, settings: Settings, tenant: Tenant, loads: list[list[Row]]
) -> None:
    system = uuid4().hex
    known: dict[str, Known] = {}
    arrival = microseconds(NOW)
    contents: dict[str, int] = {}
    for items in loads:
        expected = Outcomes()
        for pk, version, total in items:
            verdict = settle(known.get(pk), [(version, bytes([total]))], arrival)[0]
            setattr(expected, verdict.outcome, getattr(expected, verdict.outcome) + 1)
            before = known.get(pk, Known(0, b"", frozenset()))
            stored = before.stored | {(verdict.version, bytes([total]))}
            if verdict.last:
                known[pk], contents[pk] = Known(verdict.version, bytes([total]), stored), total
            elif verdict.outcome != "unchanged":
                known[pk] = before._replace(stored=stored)
        assert land_rows(warehouse, settings, tenant, system, items) == expected
    assert current_totals(warehouse, system) == {pk: (one.version, contents[pk]) for pk, one in known.items()}


@given(
    versions=st.dictionaries(st.sampled_from("abcd"), st.integers(0, 5), min_size=1),
    data=st.data(),
)
@SLOW
def test_any_order_and_repetition_of_versioned_records_gives_the_same_current_ones(
    warehouse: Warehouse, settings: Settings, tenant: Tenant, versions: dict[str, int], data: st.DataObject
) -> None:
    system = uuid4().hex
    items: list[Row] = [(pk, version, version * 10) for pk, last in versions.items() for version in range(last + 1)]
    extra = data.draw(st.lists(st.sampled_from(items), max_size=5))
    shuffled = data.draw(st.permutations([*items, *extra]))
    cut = data.draw(st.integers(0, len(shuffled)))
    first = land_rows(warehouse, settings, tenant, system, shuffled[:cut])
    second = land_rows(warehouse, settings, tenant, system, shuffled[cut:])
    assert current_totals(warehouse, system) == {pk: (last, last * 10) for pk, last in versions.items()}
    total = add_outcomes([first, second])
    assert (total.landed, total.unchanged) == (len(versions), len(extra))


def test_loads_of_the_same_records_at_once_keep_every_total_right(
    warehouse: Warehouse, settings: Settings, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform_core.ingest.landing.BATCH_ROWS", 25)
    monkeypatch.setattr("platform_core.ingest.landing.COMMIT_ROWS", 50)
    keys = [f"WO-{n}" for n in range(200)]

    def one_load(version: int) -> Outcomes:
        order = keys if version % 2 else list(reversed(keys))
        items = [record(n, (key, version, version)) for n, key in enumerate(order)]
        return load(warehouse, settings, tenant, items).outcomes

    with ThreadPoolExecutor(4) as pool:
        total = add_outcomes(pool.map(one_load, [1, 2, 3, 4]))
    assert total.landed == 200
    assert total.landed + total.corrected + total.outdated == 800
    assert current(warehouse) == dict.fromkeys(keys, ("2026-03-09", 4))
    assert rows(warehouse, "select count(*) from core.erp_mes_data") == [(800,)]
    assert rows(warehouse, "select count(*) from core.load where status <> 'succeeded'") == [(0,)]


CRASHING = """
import sys
from pathlib import Path
from platform_core.ingest import landing
from platform_core.settings import Settings
from platform_core.tenants.service import get_tenant
from platform_core.warehouse.connection import open_warehouse, transaction
from platform_core.ingest.service import Ingest, ingest_files
from dbt_like_sql.project import load_project
from tests.ingest.landing_help import NOW

landing.BATCH_ROWS, landing.COMMIT_ROWS = 10, 20
settings = Settings()
warehouse = open_warehouse(settings)
with transaction(warehouse) as conn:
    tenant = get_tenant(conn, sys.argv[1])
report = ingest_files(
    Ingest(warehouse, settings, load_project(), tenant, NOW), [sys.argv[2]], mapping="takt_mes_work_order"
)
assert not report.failed, report
"""


def ingest_in_a_process(settings: Settings, tenant: Tenant, path: Path, crash_at: str | None = None) -> int:
    environment = os.environ | {
        "TAKT_HOME": str(settings.home),
        "TAKT_DATABASE_URL": str(settings.database_url),
        "TAKT_API_DATABASE_URL": str(settings.api_database_url),
        "TAKT_CRASH_AT": crash_at or "",
    }
    command = [sys.executable, "-c", CRASHING, tenant.slug, str(path)]
    return subprocess.run(command, env=environment, timeout=100, check=False).returncode


def write_records(path: Path, totals: dict[str, int], bad: int = 0) -> Path:
    lines: list[dict[str, Any]] = [
        work_order(pk, total_qty=total, good_qty=total, defect_qty=0).payload
        | {"updated_at": f"2026-03-09T{n % 24:02d}:00+09:00"}
        for n, (pk, total) in enumerate(totals.items())
    ]
    lines += [work_order(f"BAD-{n}", good_qty=-1).payload for n in range(bad)]
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("moment", ["landing.after_copy", "landing.before_commit", "landing.after_commit"])
def test_a_load_killed_anywhere_and_run_again_ends_like_one_left_in_peace(
    warehouse: Warehouse, settings: Settings, tenant: Tenant, other_tenant: Tenant, tmp_path: Path, moment: str
) -> None:
    before = write_records(tmp_path / "before.jsonl", {f"WO-{n}": n for n in range(30)})
    path = write_records(tmp_path / "orders.jsonl", {f"WO-{n}": n + 1 for n in range(55)}, bad=3)
    for one in (tenant, other_tenant):
        assert ingest_in_a_process(settings, one, before) == 0
    assert ingest_in_a_process(settings, other_tenant, path) == 0
    assert ingest_in_a_process(settings, tenant, path, crash_at=moment) == -signal.SIGKILL

    landed = 20 if moment == "landing.after_commit" else 0
    left = "select status, rows_read from core.load where tenant_id = %(tenant)s order by started_at desc limit 1"
    assert rows(warehouse, left, tenant=tenant.id) == [("running", landed)]
    assert len(fail_interrupted(warehouse)) == 1
    assert rows(warehouse, left, tenant=tenant.id) == [("failed", landed)]
    assert fail_interrupted(warehouse) == ()

    assert ingest_in_a_process(settings, tenant, path) == 0
    assert rows(warehouse, STORED, tenant=tenant.id) == rows(warehouse, STORED, tenant=other_tenant.id)
    rejects = "select original from core.rejected_record where tenant_id = %(tenant)s and status = 'open' order by 1"
    assert rows(warehouse, rejects, tenant=tenant.id) == rows(warehouse, rejects, tenant=other_tenant.id)
    marks = "select model, date from core.dirty_partition where tenant_id = %(tenant)s order by 1, 2"
    assert rows(warehouse, marks, tenant=tenant.id) == rows(warehouse, marks, tenant=other_tenant.id)


def test_a_load_that_still_runs_is_not_taken_for_a_dead_one(
    warehouse: Warehouse, settings: Settings, tenant: Tenant
) -> None:
    def slow():
        yield work_order()
        assert fail_interrupted(warehouse) == ()
        assert rows(warehouse, "select status from core.load") == [("running",)]

    assert load(warehouse, settings, tenant, slow()).outcomes == counts(landed=1)


@pytest.mark.chaos
@pytest.mark.timeout(1200)
def test_a_day_of_a_million_records_lands_within_two_gibibytes(
    warehouse: Warehouse, settings: Settings, tenant: Tenant, tmp_path: Path
) -> None:
    path = tmp_path / "million.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for n in range(1_000_000):
            file.write(json.dumps(work_order(f"WO-{n:07d}").payload) + "\n")
    script = CRASHING.replace("landing.BATCH_ROWS, landing.COMMIT_ROWS = 10, 20", "")
    script += "\nimport resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    environment = os.environ | {
        "TAKT_HOME": str(settings.home),
        "TAKT_DATABASE_URL": str(settings.database_url),
        "TAKT_API_DATABASE_URL": str(settings.api_database_url),
    }
    command = [sys.executable, "-c", script, tenant.slug, str(path)]
    done = subprocess.run(command, env=environment, timeout=1000, check=True, capture_output=True, text=True)
    kibibytes = int(done.stdout.split()[-1])
    assert rows(warehouse, "select landed from core.load") == [(1_000_000,)]
    assert kibibytes < 2 * 1024 * 1024
