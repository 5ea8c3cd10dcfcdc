"""What any Dagster user tries first, in the repository root with nothing set: `dagster dev`, `dg check`, `dg list`."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from platform_cli.supervisor import free_port
from platform_core.settings import Settings
from platform_core.warehouse.connection import open_warehouse, transaction
from tests.conftest import make_home, remove_home
from tests.platform_assets.graphql import Webserver, wait_for
from tests.platform_assets.place import repository

LOCATION = """
{ workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError {
  ... on RepositoryLocation { repositories { assetNodes { groupName } } } ... on PythonError { message } } } } } }
"""


@pytest.fixture(scope="module")
def user() -> Generator[dict[str, str]]:
    """The environment of somebody who has set nothing, in a home of its own; its server is stopped at the end."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    made = kept | {"HOME": str(make_home())}
    try:
        yield made
    finally:
        remove_home(_settings(made))


def _settings(user: dict[str, str]) -> Settings:
    data = Path("Library/Application Support") if sys.platform == "darwin" else Path(".local/share")
    return Settings(home=Path(user["HOME"]) / data / "takt", database_url=None, api_database_url=None)


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _dg(user: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [_program("dg"), *arguments], cwd=repository(), env=user, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_dg_finds_the_definitions_sound_and_lists_them(user: dict[str, str]) -> None:
    with ThreadPoolExecutor(2) as both:
        checked = both.submit(_dg, user, "check", "defs")
        listed = json.loads(both.submit(_dg, user, "list", "defs", "--json").result())
    assert "All definitions loaded successfully" in checked.result()
    assert "bi/mv_oee_daily" in {each["asset_key"] for each in listed["assets"]}


def test_dg_launch_makes_a_partition(user: dict[str, str]) -> None:
    _dg(user, "launch", "--assets", "raw/work_order,staging/stg_work_order", "--partition", "2024-03-04")
    with transaction(open_warehouse(_settings(user)), read_only=True) as conn:
        found = conn.execute("select model, date::text, state from core.partition_state where run_id is not null")
        assert found.fetchall() == [("staging.stg_work_order", "2024-03-04", "published")]


def test_dagster_dev_comes_up_with_nothing_set_and_leaves_nothing_behind(user: dict[str, str]) -> None:
    port = free_port()
    with subprocess.Popen(
        [_program("dagster"), "dev", "--port", str(port)],
        cwd=repository(),
        env=user,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as dev:
        try:
            entry = wait_for(lambda: _location(port), 150, "the definitions in the webserver")
            groups = {node["groupName"] for node in entry["repositories"][0]["assetNodes"]}
            assert {"raw", "staging", "dimensions", "facts", "marts"} <= groups
            family = psutil.Process(dev.pid).children(recursive=True)
        finally:
            dev.send_signal(signal.SIGINT)
            dev.communicate(timeout=60)
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    assert not list(repository().glob(".tmp_dagster_home*"))


def _location(port: int) -> dict[str, list[dict[str, list[dict[str, str]]]]] | None:
    try:
        data = Webserver(f"http://127.0.0.1:{port}").ask(LOCATION)
    except httpx.TransportError:
        return None
    entries = data["workspaceOrError"].get("locationEntries") or []
    loaded = entries[0]["locationOrLoadError"] if entries else None
    assert loaded is None or "message" not in loaded, loaded
    return loaded
