"""The probes: /health as long as the process lives, /ready only with everything that is needed."""

import subprocess
import sys
from pathlib import Path
from secrets import token_hex
from typing import Any

from pydantic import AnyHttpUrl, PostgresDsn

from platform_api.main import create_app
from platform_core.settings import Settings
from tests.conftest import Server
from tests.platform_api.client import ask


def _get(settings: Settings, path: str) -> tuple[int, dict[str, Any]]:
    answer = ask(create_app(settings), "GET", path)
    return answer.status_code, answer.json()


def _away(home: Path) -> Settings:
    url = PostgresDsn("postgresql://takt_api:x@127.0.0.1:9/takt")
    return Settings(home=home, database_url=url, api_database_url=url)


def _state(body: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in body["dependencies"] if each["name"] == name)


def test_health_asks_nobody(tmp_path: Path) -> None:
    assert _get(_away(tmp_path), "/health") == (200, {"status": "ok"})


def test_ready_names_everything_that_is_away(tmp_path: Path) -> None:
    status, body = _get(_away(tmp_path), "/ready")
    assert (status, body["status"]) == (503, "not ready")
    assert body["missing"] == ["warehouse", "migrations", "dagster"]


def test_ready_before_any_warehouse_was_made_says_how_to_make_one_and_starts_none(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "none", database_url=None, api_database_url=None)
    status, body = _get(settings, "/ready")
    assert status == 503
    assert "takt init" in _state(body, "warehouse")["detail"]
    assert not settings.home.exists()


def test_ready_with_a_warehouse_and_a_dagster_that_does_not_answer(settings: Settings) -> None:
    nobody = settings.model_copy(update={"dagster_webserver_url": AnyHttpUrl("http://127.0.0.1:9/")})
    status, body = _get(nobody, "/ready")
    assert (status, body["missing"]) == (503, ["dagster"])
    assert "Nothing answers" in _state(body, "dagster")["detail"]


def test_ready_with_a_database_without_tables_misses_the_migrations(server: Server, tmp_path: Path) -> None:
    name = f"empty_{token_hex(6)}"
    server.create_empty(name)
    try:
        empty = server.warehouse(name, name)
        owner, api = PostgresDsn(empty.owner_url), PostgresDsn(empty.api_url)
        status, body = _get(Settings(home=tmp_path, database_url=owner, api_database_url=api), "/ready")
    finally:
        server.drop(name)
    assert (status, body["missing"]) == (503, ["migrations", "dagster"])
    assert "takt init" in _state(body, "migrations")["detail"]


def test_the_api_process_imports_neither_dagster_nor_great_expectations() -> None:
    code = "import sys, platform_api.main; print([m for m in ('dagster', 'great_expectations') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
