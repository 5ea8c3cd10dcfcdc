"""kill -9 at every moment of a publication: readers see whole dates, and a retry ends where no crash would have."""

import os
import subprocess
import sys
from dataclasses import replace

from platform_core.settings import Settings
from platform_core.warehouse.connection import autocommit
from platform_core.warehouse.maintenance import maintain
from tests.conftest import Server
from tests.warehouse.small import NOW, STAGING, SmallFactory, day

POINTS = (
    "publish.after_candidate",
    "publish.after_audit",
    "publish.before_commit",
    "publish.after_commit",
    "mart.before_refresh",
    "mart.after_refresh",
)
DAYS = (day(4), day(5), day(6))


def records(factory: SmallFactory) -> None:
    """Three published days, and then late rows, one of them broken."""
    factory.line("L1")
    for number in (4, 5, 6):
        factory.land(day(number), f"a{number}", 10)
    factory.build(*DAYS)
    for number in (4, 5, 6):
        factory.land(day(number), f"late{number}", 100, good_qty=101 if number == 5 else 1)
        factory.land(day(number), f"other{number}", 7, tenant=factory.other)
    factory.line("L1", name="Press")


def test_a_kill_at_each_point_and_a_retry_equal_an_undisturbed_run(
    factory: SmallFactory, server: Server, settings: Settings
) -> None:
    records(factory)
    database = factory.warehouse.owner_url.rpartition("/")[2]
    copies = {point: f"{database}_{number}" for number, point in enumerate(POINTS)}
    for copy in copies.values():
        replace(server, template=database).clone(copy)
    try:
        urls = {point: server.warehouse(copy, copy) for point, copy in copies.items()}
        cases = [f"{point}={warehouse.owner_url}" for point, warehouse in urls.items()]
        dates = ",".join(when.isoformat() for when in DAYS)
        command = [sys.executable, "-m", "tests.warehouse.crashing", dates, *cases]
        subprocess.run(command, check=True, timeout=200, env={**os.environ, "PYTHONWARNINGS": "ignore"})
        factory.build(*DAYS, run_id="undisturbed")
        undisturbed = factory.snapshot()
        for warehouse in urls.values():
            killed = replace(factory, warehouse=warehouse)
            whole = {(10, 1), (110, 2)}
            seen = killed.rows(
                f"select sum(total_qty)::int, count(*)::int from {STAGING} where tenant_id = %s group by date",
                [killed.tenant],
            )
            assert set(seen) <= whole
            killed.build(*DAYS, run_id="retry")
            assert killed.snapshot() == undisturbed
            maintain(warehouse, settings, killed.project, NOW.date())
            assert killed.scratch() == []
    finally:
        for copy in copies.values():
            server.drop(copy)


def test_the_sweep_spares_a_candidate_in_use(factory: SmallFactory, settings: Settings) -> None:
    with autocommit(factory.warehouse) as conn:
        conn.execute("create unlogged table scratch.in_use (); create unlogged table scratch.left_over ()")
        conn.execute("select pg_advisory_lock(hashtext('takt.scratch'), hashtext('in_use'))")
        report = maintain(factory.warehouse, settings, factory.project, NOW.date())
    assert report.candidates_swept == ("scratch.left_over",)
    assert factory.scratch() == ["in_use"]
