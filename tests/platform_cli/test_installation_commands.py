"""init, dsn, psql, down and doctor, as a user types them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import psycopg
import pytest
from typer.testing import CliRunner, Result

from platform_cli.leftovers import alive, remember, state_file, stop_leftovers
from platform_cli.main import app
from platform_cli.services import DAGSTER_PORT
from platform_core.settings import Settings
from platform_core.warehouse import embedded
from platform_core.warehouse.connection import open_warehouse
from platform_core.warehouse.diagnosis import State, check_python
from tests.warehouse.homes import a_home

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def home() -> Generator[Settings]:
    with a_home("공장 1") as settings:
        yield settings


def takt(settings: Settings, *arguments: str, **variables: str) -> Result:
    """Run the command in this process, with the home of these settings and nothing else set."""
    unset = {name: None for name in os.environ if name.startswith(("TAKT_", "PG"))}
    return CliRunner().invoke(app, arguments, env=unset | {"TAKT_HOME": str(settings.home)} | variables)


def takt_process(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The same as a process of its own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TAKT_", "PG"))}
    return subprocess.run(
        [sys.executable, "-m", "platform_cli.main", *arguments],
        env=inherited | {"TAKT_HOME": str(settings.home)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def report_of(done: Result) -> Any:
    """What a command printed with --json."""
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return json.loads(done.stdout)


def finding(done: Result, check: str, state: str) -> dict[str, str]:
    """The one finding of a check with that state."""
    (found,) = (each for each in report_of(done)["findings"] if each["check"] == check and each["state"] == state)
    return found


def test_init_makes_a_warehouse_that_psql_and_dsn_reach(home: Settings) -> None:
    made = takt(home, "init", "--tenant", "berlin", "--timezone", "Europe/Berlin", "--json")
    assert made.exit_code == 0, made.stderr
    assert [each["slug"] for each in report_of(made)["tenants"]] == ["berlin", "default"]
    assert takt(home, "init", "--json").stdout == takt(home, "init", "--json").stdout

    asked = takt_process(home, "psql", "--tenant", "berlin", "--role", "api", "-Atc", "select slug from core.tenants")
    assert (asked.returncode, asked.stdout) == (0, "berlin\n"), asked.stderr
    refused = takt_process(home, "psql", "--role", "api", "-c", "select from core.bi_login")
    assert refused.returncode == 1
    assert "permission denied" in refused.stderr

    owner, api = (report_of(takt(home, "dsn", "--role", role, "--json")) for role in ("owner", "api"))
    assert (owner["user"], api["user"], owner["database"]) == ("takt_owner", "takt_api", "takt")
    assert takt(home, "dsn").stdout.strip() == owner["url"]
    with psycopg.connect(owner["url"]) as connection:
        shifts = connection.execute("select count(*) from core.master_record where record_type = 'shift'").fetchone()
    assert shifts == (6,)  # three for each tenant


def test_commands_that_only_read_say_that_there_are_no_tables_before_init(home: Settings) -> None:
    for arguments in (["trace", "bi.mv_oee_daily"], ["psql", "--tenant", "default", "-c", "select 1"], ["status"]):
        done = takt_process(home, *arguments)
        assert done.returncode == 1, done.stdout
        assert done.stderr == "ERR_WAREHOUSE_MIGRATION: The warehouse has no tables yet.\n  Run takt init.\n"
    assert takt_process(home, "psql", "-Atc", "select 1").stdout == "1\n"


def test_down_stops_the_server_and_dsn_starts_it_again(home: Settings) -> None:
    url = takt(home, "dsn").stdout.strip()
    assert report_of(takt(home, "down", "--json")) == {"stopped": ["postgres"]}
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    assert report_of(takt(home, "down", "--json")) == {"stopped": []}
    assert takt(home, "dsn").stdout.strip() == url
    psycopg.connect(url).close()


def test_a_password_is_never_among_the_arguments_of_psql(home: Settings) -> None:
    open_warehouse(home)
    passwords = embedded.remembered(home)
    assert passwords is not None
    shown = takt_process(home, "psql", "-Atc", "\\! tr '\\0' ' ' < /proc/$PPID/cmdline")
    assert passwords.passwords["takt_owner"] not in shown.stdout


def test_init_prepares_an_existing_server_and_remembers_it(home: Settings) -> None:
    with a_home() as elsewhere:
        admin_url = embedded.start(elsewhere).admin_url
        made = takt(home, "init", "--admin-url", admin_url, "--json")
        assert made.exit_code == 0, made.stderr
        assert report_of(made)["kind"] == "existing"
        assert report_of(made)["databases_made"] == ["takt", "dagster"]
        again = report_of(takt(home, "init", "--admin-url", admin_url, "--json"))
        assert (again["roles_made"], again["databases_made"]) == ([], [])
        healthy = takt(home, "doctor", "--json")
        assert report_of(healthy)["healthy"], healthy.stdout
        assert not (home.home / "server.json").exists()
        place = f"127.0.0.1:{embedded.start(elsewhere).state.port}/takt"
        assert takt(home, "down").stdout == f"Nothing was running.\nPostgreSQL at {place} is not Takt's to stop.\n"
        embedded.stop(elsewhere)
        gone = takt(home, "doctor", "--json")
        assert gone.exit_code == 1
        assert "cannot be used" in finding(gone, "server", "broken")["message"]


def test_init_says_that_the_embedded_servers_data_are_left_behind(home: Settings) -> None:
    assert "not used" not in takt(home, "init").stdout
    with a_home() as elsewhere:
        shown = takt(home, "init", "--admin-url", embedded.start(elsewhere).admin_url).stdout
    assert f"The embedded server's data stay in {home.home / 'postgres'} and are not used from now on." in shown


def test_init_moves_a_tenant_to_another_zone_only_when_asked(home: Settings, tmp_path: Path) -> None:
    night = tmp_path / "night.jsonl"
    order: dict[str, Any] = {"work_order_id": "WO-1", "line_code": "L01", "product_code": "P001"}
    order |= {"start_time": "2026-03-09T01:00:00+09:00", "end_time": "2026-03-09T07:00:00+09:00"}
    night.write_text(json.dumps(order | {"total_qty": 10, "good_qty": 10, "defect_qty": 0}) + "\n", encoding="utf-8")
    assert takt(home, "init", "--tenant", "plant").exit_code == 0
    assert takt(home, "ingest", str(night), "--mapping", "takt_mes_work_order", "--tenant", "plant").exit_code == 0
    trace_of = ("trace", "staging.stg_work_order", "--tenant", "plant", "--json")
    assert takt_process(home, "refresh", "--dirty").returncode == 0
    assert [row["key"]["date"] for row in report_of(takt(home, *trace_of))["rows"]] == ["2026-03-09"]

    unasked = report_of(takt(home, "init", "--tenant", "plant", "--json"))
    assert (unasked["rezoned"], unasked["tenants"][-1]["timezone"]) == ([], "Asia/Seoul")
    moved = report_of(takt(home, "init", "--tenant", "plant", "--timezone", "Europe/Berlin", "--json"))
    assert moved["tenants"][-1]["timezone"] == "Europe/Berlin"
    assert moved["rezoned"][0]["records"] == 1
    assert moved["rezoned"][0]["dates"] == ["2026-03-08", "2026-03-09"]
    assert takt_process(home, "refresh", "--dirty").returncode == 0
    assert [row["key"]["date"] for row in report_of(takt(home, *trace_of))["rows"]] == ["2026-03-08"]
    assert takt(home, "init", "--timezone", "Europe/Berlin").exit_code == 2


def test_a_tenant_in_no_known_zone_is_refused(home: Settings) -> None:
    done = takt_process(home, "init", "--tenant", "mars", "--timezone", "Mars/Olympus")
    assert done.returncode == 1
    assert done.stderr.startswith("ERR_TENANT_INVALID: 'Mars/Olympus' is not a time zone.")


def test_doctor_finds_nothing_wrong_and_makes_nothing_before_and_after_init(home: Settings) -> None:
    before = takt(home, "doctor", "--json")
    assert (before.exit_code, report_of(before)["healthy"]) == (0, True), before.stdout
    assert not home.home.exists()
    takt(home, "init")
    embedded.stop(home)
    after = takt(home, "doctor")
    assert after.exit_code == 0, after.stdout
    assert "has been started" in after.stdout
    assert "Nothing is broken." in after.stdout


def test_doctor_names_what_keeps_the_server_from_starting(home: Settings) -> None:
    open_warehouse(home)
    embedded.stop(home)
    known = embedded.remembered(home)
    assert known is not None
    (known.state.folder / "custom.conf").write_text("work_mem = 'much'\n", encoding="utf-8")
    done = takt(home, "doctor", "--json")
    assert done.exit_code == 1
    found = finding(done, "server", "broken")
    assert "work_mem" in found["message"]
    assert "custom.conf" in found["hint"]


def test_doctor_names_tables_roles_and_zones_that_are_not_as_they_should_be(home: Settings) -> None:
    takt(home, "init")
    server = embedded.remembered(home)
    assert server is not None
    with psycopg.connect(server.admin_url, autocommit=True) as connection:
        connection.execute("alter role takt_api bypassrls")
    with psycopg.connect(server.url("takt_owner", "takt"), autocommit=True) as connection:
        connection.execute("""update core.tenants set settings = '{"timezone": "Moon"}'""")
        connection.execute("update public.takt_revision set version_num = '0001'")
    done = takt(home, "doctor", "--json")
    assert "tenants see each other" in finding(done, "roles", "broken")["message"]
    assert "revision 0001" in finding(done, "tables", "broken")["message"]
    assert "'Moon' is not a time zone" in finding(done, "tenants", "broken")["message"]


def test_doctor_names_a_home_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = takt(Settings(home=tmp_path / "file" / "takt"), "doctor", "--json")
    assert done.exit_code == 1
    assert "TAKT_HOME" in finding(done, "home", "broken")["message"]


def test_doctor_names_logins_that_are_not_the_roles_they_should_be(home: Settings) -> None:
    open_warehouse(home)
    server = embedded.remembered(home)
    assert server is not None
    owner = server.url("takt_owner", "takt")
    urls = {"TAKT_DATABASE_URL": owner, "TAKT_API_DATABASE_URL": server.url("takt_owner", "dagster")}
    done = takt(home, "doctor", "--json", **urls)
    assert done.exit_code == 1
    said = [each["message"] for each in report_of(done)["findings"] if each["check"] == "roles"]
    assert said[0] == "TAKT_API_DATABASE_URL logs in as takt_owner, not as takt_api."
    assert "lead to different databases" in said[1]


def test_doctor_names_who_holds_the_servers_lock_instead_of_waiting_for_it(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform_core.warehouse.diagnosis._LOCK_SECONDS", 1)
    open_warehouse(home)
    code = (
        "import sys, time, filelock as f; l = f.FileLock(sys.argv[1]); l.acquire(); print(flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(home.home / "server.lock")], stdout=subprocess.PIPE
    ) as hanging:
        try:
            assert hanging.stdout is not None
            hanging.stdout.readline()
            found = finding(takt(home, "doctor", "--json"), "server", "broken")
        finally:
            hanging.kill()
    assert f"(process {hanging.pid})" in found["message"]
    assert "if it hangs" in found["hint"]
    assert report_of(takt(home, "doctor", "--json"))["findings"]


@pytest.mark.parametrize(("free", "state"), [(1 << 20, "broken"), (2 << 30, "warning"), (9 << 30, "ok")])
def test_doctor_says_when_a_disk_is_nearly_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: str
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    done = takt(Settings(home=tmp_path), "doctor", "--json")
    states = [each["state"] for each in report_of(done)["findings"] if "GiB are free" in each["message"]]
    assert states == [state]


@pytest.mark.parametrize("version", [(3, 10, 9), (3, 14, 0)])
def test_doctor_names_a_python_that_is_not_supported(version: tuple[int, int, int]) -> None:
    found = check_python(version)
    assert (found.state, found.hint) == (State.BROKEN, "Use Python 3.11, 3.12 or 3.13.")
    assert check_python((3, 13, 9)).state is State.OK


@pytest.mark.parametrize("mode", [0o644, 0o755])
def test_doctor_names_programs_of_postgres_that_do_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    broken = tmp_path / "postgres"
    broken.write_bytes(b"\x7fELF of another processor")
    broken.chmod(mode)
    monkeypatch.setattr("platform_core.warehouse.diagnosis.wheel_folder", lambda: tmp_path)
    done = takt(Settings(home=tmp_path / "home"), "doctor", "--json")
    found = finding(done, "programs", "broken")
    assert "does not run" in found["message"]
    assert "TAKT_DATABASE_URL" in found["hint"]


def test_doctor_names_a_port_that_another_program_has(tmp_path: Path) -> None:
    with socket.socket() as taken:
        with suppress(OSError):  # where somebody has it already, that serves as well
            taken.bind(("127.0.0.1", DAGSTER_PORT))
            taken.listen()
        done = takt(Settings(home=tmp_path), "doctor", "--json")
    said = [each["message"] for each in report_of(done)["findings"] if each["check"] == "ports"]
    assert any(f"Port {DAGSTER_PORT} is taken" in each for each in said)


def test_doctor_guesses_which_setting_a_mistyped_variable_means(home: Settings) -> None:
    done = takt(home, "doctor", "--json", TAKT_DATABSE_URL="postgresql://x/y")
    assert finding(done, "settings", "warning")["hint"] == "Is TAKT_DATABASE_URL meant?"


def test_down_stops_what_a_killed_up_has_left_and_nothing_else(home: Settings) -> None:
    with subprocess.Popen(SLEEPER) as left, subprocess.Popen(SLEEPER) as stranger:
        try:
            remember(home.home, {"dagster-webserver": left.pid, "api": stranger.pid})
            stored = json.loads(state_file(home.home).read_text(encoding="utf-8"))
            for entry in stored["processes"]:
                if entry["name"] == "api":
                    entry["create_time"] -= 3600  # that process has ended, and a stranger has its number now
            state_file(home.home).write_text(json.dumps(stored), encoding="utf-8")
            assert list(alive(home.home)) == ["dagster-webserver"]
            assert "takt down" in finding(takt(home, "doctor", "--json"), "up", "warning")["hint"]
            assert report_of(takt(home, "down", "--json")) == {"stopped": ["dagster-webserver"]}
            assert left.wait(timeout=30) == -signal.SIGTERM
            assert stranger.poll() is None
            assert alive(home.home) == {}
        finally:
            left.kill()
            stranger.kill()


def test_down_ends_by_force_what_does_not_listen_and_its_children(home: Settings) -> None:
    code = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"subprocess.Popen({SLEEPER!r}); print('ready', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as stubborn:
        assert stubborn.stdout is not None
        assert stubborn.stdout.readline() == "ready\n"
        children = psutil.Process(stubborn.pid).children()
        remember(home.home, {"daemon": stubborn.pid})
        began = time.monotonic()
        assert stop_leftovers(home.home, patience_seconds=1) == ("daemon",)
        assert time.monotonic() - began < 15
        assert stubborn.wait(timeout=10) == -signal.SIGKILL
        assert all(child.status() == psutil.STATUS_ZOMBIE for child in children if child.is_running())
