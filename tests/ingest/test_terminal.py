"""Long commands as a person sees them: a bar on a terminal, lines in a log, and what Ctrl-C leaves behind."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from platform_core.settings import Settings
from platform_core.tenants.contracts import Tenant
from tests.ingest.test_commands import HEADER, ROW, orders

TAKT = [sys.executable, "-m", "platform_cli.main"]
MAPPING = """
source_system: plant
record_type: work_order
fields: {work_order_id: 작업지시, line_code: 라인, product_code: 품목코드, start_time: 시작시간, end_time: 종료시간,
  total_qty: 생산수량, good_qty: 양품수량, defect_qty: 불량수량}
"""


@pytest.fixture
def surroundings(settings: Settings, tenant: Tenant) -> Mapping[str, str]:
    folder = settings.home / "tenants" / tenant.slug / "mappings"
    folder.mkdir(parents=True)
    (folder / "plant.yml").write_text(MAPPING, encoding="utf-8")
    return os.environ | {
        "TAKT_HOME": str(settings.home),
        "TAKT_DATABASE_URL": str(settings.database_url),
        "TAKT_API_DATABASE_URL": str(settings.api_database_url),
        "TERM": "xterm-256color",
        "COLUMNS": "160",
    }


def at_a_terminal(surroundings: Mapping[str, str], *arguments: object, exit_code: int = 0) -> str:
    """What a command writes to a terminal, everything that it takes away again included."""
    ours, theirs = pty.openpty()
    command = [*TAKT, *(str(one) for one in arguments)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=dict(surroundings))
    os.close(theirs)
    told = b""
    try:
        while part := _read(ours):
            told += part
        assert process.wait(timeout=60) == exit_code, told.decode()
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return told.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the last writer has gone
        return b""


def in_a_log(surroundings: Mapping[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*TAKT, *(str(one) for one in arguments)]
    return subprocess.run(command, env=dict(surroundings), capture_output=True, text=True, timeout=60, check=False)


def test_ingest_and_retry_show_a_bar_of_files_and_rows_on_a_terminal_and_none_in_a_log(
    surroundings: Mapping[str, str], tmp_path: Path
) -> None:
    paths = [orders(tmp_path / f"{name}.csv", 9, 7) for name in ("a", "b")]
    shown = at_a_terminal(surroundings, "ingest", *paths, "--mapping", "plant")
    for part in ("━", "2/2", "a.csv (plant): 2 rows: 1 landed, 1 rejected", "Total: 2 loads, 4 rows"):
        assert part in shown, shown
    told = in_a_log(surroundings, "ingest", *paths, "--mapping", "plant")
    assert "a.csv (plant): 2 rows" in told.stdout.splitlines()[0]
    assert "\x1b" not in told.stdout + told.stderr
    assert "━" not in told.stdout + told.stderr
    again = at_a_terminal(surroundings, "rejects", "retry", "--all")
    for part in ("━", "/1", "0 stored, 1 stay open", "rows tried again"):
        assert part in again, again
    plain = in_a_log(surroundings, "rejects", "retry", "--all")
    assert "0 stored, 1 stay open" in plain.stdout.splitlines()[0]
    assert "\x1b" not in plain.stdout + plain.stderr


def test_generate_shows_a_bar_on_a_terminal_and_none_in_a_log(surroundings: Mapping[str, str], tmp_path: Path) -> None:
    arguments = ("generate", "-o", tmp_path / "out", "--days", "2", "--end-date", "2025-11-05")
    shown = at_a_terminal(surroundings, *arguments)
    for part in ("━", "/4", "alpha: "):
        assert part in shown, shown
    told = in_a_log(surroundings, *arguments)
    assert told.stdout.startswith("alpha: ")
    assert "\x1b" not in told.stdout + told.stderr


def test_ctrl_c_tells_what_is_stored_and_the_same_command_goes_on(
    surroundings: Mapping[str, str], tmp_path: Path
) -> None:
    small, large = orders(tmp_path / "a.csv", 9), tmp_path / "b.csv"
    lines = (ROW.format(f"B{number}", 9) for number in range(400_000))
    large.write_text("\n".join([HEADER, *lines]), encoding="cp949")
    command = [*TAKT, "ingest", str(small), str(large), "--mapping", "plant"]
    process = subprocess.Popen(
        command, env=dict(surroundings), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    # In a log each load has its line when it ends, while the next one is under way.
    assert "a.csv (plant): 1 rows: 1 landed." in process.stdout.readline()
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "1 loads are done and stored: " in errors
    assert "/a.csv." in errors
    assert "b.csv was under way: " in errors
    assert "The same command again goes on safely" in errors
    again = json.loads(in_a_log(surroundings, *command[3:], "--json").stdout)
    assert again["total"]["rows_read"] == 400_001
    assert again["total"]["landed"] + again["total"]["unchanged"] == 400_001


def test_a_watched_folder_is_landed_from_the_command_line_until_ctrl_c(
    surroundings: Mapping[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "inbox"
    (folder / "plant").mkdir(parents=True)
    process = subprocess.Popen(
        [*TAKT, "ingest", "--watch", str(folder)],
        env=dict(surroundings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        assert process.stdout is not None
        assert "Ctrl-C ends it" in process.stderr.readline()
        orders(folder / "plant" / "good.csv", 9, 8)
        assert "good.csv -> done: 1 landed, 1 rejected" in process.stdout.readline()
        orders(folder / "plant" / "useless.csv", 1, 2)
        assert "useless.csv -> failed: 2 rejected" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors
        assert "Traceback" not in errors
    finally:
        process.kill()
        process.wait()
    assert [path.name[-8:] for path in (folder / "done").glob("*.csv")] == ["good.csv"]
    (report,) = (folder / "failed").glob("*.report.json")
    told = json.loads(report.read_text())
    assert told["error"] == "ERR_INGEST_NOTHING_USABLE"
    assert told["total"]["rejected"] == 2
