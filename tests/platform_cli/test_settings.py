"""Settings that cannot be used are told like every other error, and never with a password."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from platform_core.settings import SettingInvalidError, Settings
from platform_core.warehouse import embedded
from platform_core.warehouse.errors import HomeNotUsableError
from platform_core.warehouse.roles import external_connections


def takt(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own, with nothing set but these variables."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TAKT_", "PG"))}
    return subprocess.run(
        [sys.executable, "-m", "platform_cli.main", *arguments],
        env=inherited | {"TAKT_HOME": str(home)} | variables,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("command", ["status", "init", "dsn", "down"])
def test_a_malformed_setting_is_bad_usage_that_says_what_is_expected(tmp_path: Path, command: str) -> None:
    done = takt(tmp_path, command, TAKT_FIRST_DATE="x")
    assert done.returncode == 2
    assert done.stderr.startswith("ERR_SETTING_INVALID: TAKT_FIRST_DATE='x' cannot be used: ")
    assert "TAKT_FIRST_DATE is such as 2024-01-01." in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_reports_a_malformed_setting_as_a_finding(tmp_path: Path) -> None:
    done = takt(tmp_path, "doctor", "--json", TAKT_ARCHIVE_RAW_AFTER_DAYS="3", TAKT_DATABSE_URL="y")
    assert (done.returncode, done.stderr) == (1, "")
    found = [each for each in json.loads(done.stdout)["findings"] if each["check"] == "settings"]
    assert [each["state"] for each in found] == ["warning", "broken"]
    assert found[1]["message"].startswith("TAKT_ARCHIVE_RAW_AFTER_DAYS='3' cannot be used: ")


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("database_url", "postgresl://takt_owner:geheim@db/takt", "'postgresl://***@db/takt'"),
        ("api_database_url", "takt_api:geheim@db:5432/takt", "'takt_api:***@db:5432/takt'"),
        ("dagster_database_url", "db/dagster?password=geheim", "'db/dagster?password=***'"),
        ("database_url", "postgresql://takt_owner:gehe@im@db:port/takt", "'postgresql://***@db:port/takt'"),
        ("dagster_webserver_url", "localhost 3000", "'localhost 3000'"),
        ("home", "~nobody-of-that-name/x", "'~nobody-of-that-name/x'"),
    ],
)
def test_the_value_is_shown_without_its_password(
    name: str, value: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"TAKT_{name.upper()}", value)
    with pytest.raises(SettingInvalidError, match="cannot be used") as caught:
        Settings()
    assert f"TAKT_{name.upper()}={shown}" in caught.value.message
    assert "geheim" not in str(caught.value)
    assert f"TAKT_{name.upper()} is such as " in str(caught.value.hint)


def test_every_setting_gives_an_example_that_it_accepts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, field in Settings.model_fields.items():
        assert field.examples, name
        monkeypatch.setenv(f"TAKT_{name.upper()}", field.examples[0])
    Settings()


@pytest.mark.parametrize("stored", ['{"owner_url": "x", "colour": "red"}', "[1]", '"text"', "{", "\x00"])
def test_a_damaged_file_of_connections_is_named(tmp_path: Path, stored: str) -> None:
    (tmp_path / "warehouse.json").write_text(stored, encoding="utf-8")
    with pytest.raises(HomeNotUsableError, match=r"warehouse\.json"):
        external_connections(tmp_path)
    done = takt(tmp_path, "doctor", "--json")
    assert done.returncode == 1, done.stderr
    assert "warehouse.json" in done.stdout


@pytest.mark.parametrize("name", ["server.json", "secrets.json"])
def test_a_damaged_file_of_the_server_is_named(tmp_path: Path, name: str) -> None:
    state = {"folder": str(tmp_path), "port": 1, "roles_made": True}
    passwords = {"postgres": "a", "takt_owner": "b", "takt_api": "c"}
    for file, content in (("server.json", state), ("secrets.json", passwords)):
        content = {} if file == name else content
        (tmp_path / file).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(HomeNotUsableError, match=f"{name} is damaged: .* is missing"):
        embedded.remembered(Settings(home=tmp_path, database_url=None))
