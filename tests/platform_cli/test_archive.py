"""`takt archive`: months go to files and come back, and a trace says where the records of a sealed date are."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant


class Takt:
    """The command as processes of their own, on the test's database."""

    def __init__(self, settings: Settings) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TAKT_", "PG"))}
        urls = {name: getattr(settings, name) for name in ("database_url", "api_database_url", "dagster_database_url")}
        named = {f"TAKT_{name.upper()}": str(url) for name, url in urls.items()}
        self.environment = inherited | named | {"TAKT_HOME": str(settings.home)}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What the command does."""
        command = [sys.executable, "-m", "platform_cli.main", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=240)

    def json(self, *arguments: str) -> Any:
        """What the command prints with --json when it succeeds."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)


@pytest.fixture
def takt(settings: Settings, tenant: Tenant) -> Takt:
    return Takt(settings)


def land(takt: Takt, folder: Path, number: int, day: str) -> None:
    """One work order of that date."""
    order = {"work_order_id": f"WO-{number}", "line_code": "L01", "product_code": "P001", "shift": "day"}
    times = {"start_time": f"{day}T08:00:00+09:00", "end_time": f"{day}T16:00:00+09:00"}
    numbers = {"total_qty": 100, "good_qty": 90, "defect_qty": 10, "runtime_minutes": 420, "downtime_minutes": 60}
    path = folder / f"orders_{number}.jsonl"
    path.write_text(json.dumps(order | times | numbers) + "\n", encoding="utf-8")
    takt.json("ingest", str(path), "--mapping", "takt_mes_work_order")


def test_a_month_is_sealed_listed_named_by_a_trace_and_attached(takt: Takt, tmp_path: Path) -> None:
    assert takt.run("archive", "list").stdout == "No month has been sealed.\n"
    land(takt, tmp_path, 1, "2026-03-10")

    held = takt.run("archive", "seal", "--before", "2026-04")
    assert held.returncode == 1
    assert held.stderr.startswith("2026-03 is held back, as 1 of its dates failed or wait to be made anew:")
    takt.json("refresh", "--dirty")
    (sealed,) = takt.json("archive", "seal", "--before", "2026-04")["sealed"]
    assert sealed["month"] == "2026-03"
    (listed,) = takt.json("archive", "list")["archives"]
    assert (listed["file"], listed["sealed"], listed["first_date"]) == (sealed["file"], True, "2026-03-01")
    assert listed["bytes"] == Path(sealed["file"]).stat().st_size
    assert "Nothing before 2026-04 is left to seal." in takt.run("archive", "seal", "--before", "2026-04").stdout

    where = ("trace", "bi.fact_daily_production", "--date", "2026-03-10", "--column", "total_qty")
    traced = takt.run(*where)
    assert traced.returncode == 0, traced.stderr
    assert f"the date is sealed; its records are in {sealed['file']}" in traced.stdout
    assert "orders_1.jsonl" not in traced.stdout

    land(takt, tmp_path, 2, "2026-03-12")
    assert takt.json("archive", "attach", "2026-03") == {"month": "2026-03", "late_dates": ["2026-03-12"]}
    assert "orders_1.jsonl line 1" in takt.run(*where).stdout
    assert [each["sealed"] for each in takt.json("archive", "list")["archives"]] == [False]
    Path(sealed["file"]).unlink()
    assert "attached        FILE MISSING" in takt.run("archive", "list").stdout


def test_a_month_that_cannot_be_sealed_or_attached_is_told(takt: Takt) -> None:
    attached = takt.run("archive", "attach", "2026-03")
    assert (attached.returncode, attached.stdout) == (1, "")
    assert attached.stderr.startswith("ERR_WAREHOUSE_ARCHIVE: 2026-03 is not archived.")
    early = takt.run("archive", "seal", "--before", "2999-01")
    assert early.returncode == 2
    assert "has not ended" in early.stderr
    assert takt.run("archive", "seal", "--before", "March").returncode == 2
