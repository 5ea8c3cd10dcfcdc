"""`takt demo` shows how far it is: a bar on a terminal, plain lines in a log."""

import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Generator

import pytest

from platform_cli.demo import step
from platform_core.settings import Settings
from platform_core.warehouse.connection import open_warehouse, transaction
from tests.warehouse.homes import a_home

COMMAND = [sys.executable, "-m", "platform_cli.main", "demo", "--days", "2", "--lines", "1"]
STEPS = ("Starting PostgreSQL", "Writing the files", "Landing", "Building staging")


@pytest.fixture
def settings() -> Generator[Settings]:
    with a_home() as settings:
        yield settings


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TAKT_", "PG"))}
    return inherited | {"TAKT_HOME": str(settings.home), "TERM": "xterm", "COLUMNS": "120"}


def on_a_terminal(environment: dict[str, str]) -> str:
    """What somebody at a terminal sees, with its control sequences."""
    controller, terminal = pty.openpty()
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=terminal, env=environment) as running:
        os.close(terminal)
        shown = b""
        try:
            while part := os.read(controller, 1 << 16):
                shown += part
        except OSError:  # how Linux says that the other end is closed
            pass
        assert running.stdout is not None
        assert b"OEE of" in running.stdout.read()
    os.close(controller)
    assert running.returncode == 0, shown.decode()
    return shown.decode()


def test_the_demo_shows_bars_on_a_terminal_and_plain_lines_in_a_log(
    settings: Settings, environment: dict[str, str]
) -> None:
    shown = on_a_terminal(environment)
    files = {(int(done), int(total)) for done, total in re.findall(r"work_orders_\S+.*?(\d+)/(\d+)", shown)}
    assert files, "no bar counts the files"
    assert all(0 <= done <= total and total > 10 for done, total in files)
    assert re.search(r"marts as one Dagster run: bi\.\S+.*?\d+/\d+", shown), "no bar counts the models"

    logged = subprocess.run(COMMAND, capture_output=True, text=True, env=environment, timeout=240)
    assert logged.returncode == 0, logged.stderr
    assert "\x1b" not in logged.stderr
    lines = [line for line in logged.stderr.splitlines() if not re.fullmatch(r"  \d+ s.* \.\.\.", line)]
    begun = [line for line in lines if line.endswith(" ...")]
    assert [line.startswith(name) for line, name in zip(begun, STEPS, strict=True)] == [True] * 4
    assert sum(bool(re.fullmatch(r"  done in \d+\.\d s", line)) for line in lines) == 4
    assert re.search(r" 0 landed \+ 0 corrected \+ ", logged.stderr), "the second demo changed something"
    with transaction(open_warehouse(settings), read_only=True) as conn:
        kpis = conn.execute(
            "select tenant.slug, count(kpi.kpi_code) from core.tenants as tenant "
            "left join bi.dim_kpi as kpi on kpi.tenant_id = tenant.id group by 1 order by 1"
        ).fetchall()
    assert [slug for slug, _ in kpis] == ["alpha", "beta", "default"]
    assert {count for _, count in kpis} == {4}, "every tenant begins with the shipped KPIs"


def test_a_long_step_tells_a_log_now_and_then_that_it_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    with step("Landing", heartbeat=0.05) as landing:
        landing.reach(3, 12, "a.csv")
        time.sleep(0.3)
    began, *beats, ended = capsys.readouterr().err.splitlines()
    assert (began, ended[:10]) == ("Landing ...", "  done in ")
    assert len(beats) >= 2
    assert set(beats) == {"  0 s, 3 of 12 ..."}
    time.sleep(0.15)
    assert capsys.readouterr().err == "", "it goes on after its end"


def test_a_step_that_fails_is_not_told_to_be_done(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), step("Landing", heartbeat=60):
        raise RuntimeError
    assert capsys.readouterr().err == "Landing ...\n"
