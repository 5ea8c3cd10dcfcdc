"""The embedded server starts on demand, once, and after whatever happened to it before."""

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from platform_core.settings import Settings
from platform_core.warehouse import embedded
from platform_core.warehouse.connection import Warehouse, open_warehouse, transaction
from platform_core.warehouse.embedded.state import HomeFiles
from platform_core.warehouse.errors import HomeNotUsableError, ServerStartError, WarehouseUnreachableError
from tests.conftest import Server
from tests.warehouse.homes import a_home, kill_all, main_processes, server_processes

KOREAN = '공장 데이터/우리 집\'s "takt"'


@pytest.fixture
def home() -> Generator[Settings]:
    with a_home() as settings:
        yield settings


def _store_a_row(warehouse: Warehouse) -> None:
    with transaction(warehouse) as connection:
        connection.execute("create table kept as select 42 as answer")


def _rows(warehouse: Warehouse) -> list[tuple[int]]:
    with transaction(warehouse) as connection:
        return connection.execute("select answer from kept").fetchall()


def test_committed_rows_survive_kill_9_of_every_process(home: Settings) -> None:
    _store_a_row(open_warehouse(home))
    kill_all(server_processes(home))
    assert _rows(open_warehouse(home)) == [(42,)]


def test_committed_rows_survive_kill_9_of_the_main_process_while_a_query_runs(home: Settings) -> None:
    warehouse = open_warehouse(home)
    _store_a_row(warehouse)
    with closing(psycopg.connect(warehouse.owner_url)) as busy:
        # The backend computes without ever waiting, so it does not notice that its parent is gone.
        busy.pgconn.send_query(b"select count(*) from generate_series(1, 1000000000)")
        (main,) = main_processes(home)
        main.kill()
        assert _rows(open_warehouse(home)) == [(42,)]


def test_a_stale_pid_file_whose_number_another_process_has_does_not_keep_it_from_starting(home: Settings) -> None:
    _store_a_row(open_warehouse(home))
    embedded.stop(home)
    known = embedded.remembered(home)
    assert known is not None
    # Our own number: alive, and as an ordinary user of the same user, so that PostgreSQL would refuse to start.
    lines = [str(os.getpid()), str(known.state.data), "1764000000", str(known.state.port), "", "127.0.0.1", "", "ready"]
    (known.state.data / "postmaster.pid").write_text("\n".join(lines), encoding="utf-8")
    assert _rows(open_warehouse(home)) == [(42,)]


def test_a_first_start_that_was_killed_is_begun_anew(home: Settings) -> None:
    open_warehouse(home)
    embedded.stop(home)
    files = HomeFiles(home.home)
    (home.home / "server.json").unlink()  # as if killed between making the data folder and remembering it
    open_warehouse(home)
    assert files.read_state() is not None


def test_two_processes_that_start_it_at_once_share_one_server(home: Settings) -> None:
    code = "from platform_core.settings import Settings; from platform_core.warehouse.connection import open_warehouse;"
    code += "print(open_warehouse(Settings()).owner_url)"
    environment = dict(os.environ) | {"TAKT_HOME": str(home.home)}
    started = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    urls = {process.communicate(timeout=120)[0] for process in started}
    assert [process.returncode for process in started] == [0] * 4
    assert len(urls) == 1
    assert len(main_processes(home)) == 1


def test_it_outlives_the_process_that_started_it_and_a_ctrl_c_in_its_terminal(home: Settings) -> None:
    code = "from platform_core.settings import Settings; from platform_core.warehouse import embedded;"
    code += "embedded.start(Settings()); input()"
    environment = dict(os.environ) | {"TAKT_HOME": str(home.home)}
    starter = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while embedded.running(home) is None:
        assert starter.poll() is None
    server = embedded.start(home)  # waits until it is up
    os.killpg(starter.pid, signal.SIGINT)
    starter.communicate(timeout=30)
    psycopg.connect(server.admin_url).close()


@pytest.mark.parametrize("login", ["postgres", "takt_owner", "takt_api"])
@pytest.mark.parametrize("password", ["", "wrong"])
def test_a_wrong_password_is_refused(server: Server, login: str, password: str) -> None:
    url = replace(server.embedded, passwords={login: password}).url(login, "takt")
    with pytest.raises(psycopg.OperationalError, match=r"password|SCRAM"):
        psycopg.connect(url)


def test_another_port_is_taken_and_remembered_when_its_own_is_in_use(home: Settings) -> None:
    first = open_warehouse(home)
    _store_a_row(first)
    known = embedded.remembered(home)
    assert known is not None
    embedded.stop(home)
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", known.state.port))
        squatter.listen()
        second = open_warehouse(home)
        assert second.owner_url != first.owner_url
        assert _rows(second) == [(42,)]
    assert open_warehouse(home) == second


def test_the_port_stays_the_same_over_a_restart(home: Settings) -> None:
    first = open_warehouse(home)
    with psycopg.connect(first.owner_url):
        embedded.stop(home)
    assert open_warehouse(home) == first


def test_a_home_on_a_path_with_spaces_quotes_and_korean_letters_works() -> None:
    with a_home(KOREAN) as home:
        _store_a_row(open_warehouse(home))
        kill_all(server_processes(home))
        assert _rows(open_warehouse(home)) == [(42,)]


def test_a_very_long_home_works() -> None:
    with a_home("/".join(["deep" * 10] * 5)) as home:
        _store_a_row(open_warehouse(home))


def test_stopping_does_not_wait_for_clients_and_says_whether_it_ran(home: Settings) -> None:
    warehouse = open_warehouse(home)
    with psycopg.connect(warehouse.owner_url):
        assert embedded.stop(home)
    assert not embedded.stop(home)
    assert embedded.running(home) is None
    assert server_processes(home) == []


def test_stopping_in_a_home_that_was_never_used_makes_nothing(tmp_path: Path) -> None:
    assert not embedded.stop(Settings(home=tmp_path / "takt"))
    assert not (tmp_path / "takt").exists()


def test_nobody_else_can_read_secrets_data_log_or_configuration(home: Settings) -> None:
    open_warehouse(home)
    known = embedded.remembered(home)
    assert known is not None
    for private in (home.home / "secrets.json", home.home / "server.json", known.state.log):
        assert stat.S_IMODE(private.stat().st_mode) == 0o600, private
    assert stat.S_IMODE(known.state.data.stat().st_mode) == 0o700
    assert stat.S_IMODE(home.home.stat().st_mode) in {0o700, 0o711}
    assert not (known.state.folder / "password.tmp").exists()


def test_folders_that_it_did_not_make_keep_their_mode(tmp_path: Path) -> None:
    with a_home("given") as home:
        home.home.mkdir()
        home.home.chmod(0o751)
        before = {path: path.stat().st_mode for path in (home.home, *home.home.parents)}
        open_warehouse(home)
        assert {path: path.stat().st_mode for path in before} == before


def test_a_home_below_a_file_is_refused(tmp_path: Path) -> None:
    used = tmp_path / "file"
    used.write_text("not a folder", encoding="utf-8")
    with pytest.raises(HomeNotUsableError, match="not a folder"):
        open_warehouse(Settings(home=used / "takt"))


def test_data_that_vanished_are_not_silently_replaced_by_an_empty_warehouse(home: Settings) -> None:
    open_warehouse(home)
    embedded.stop(home)
    known = embedded.remembered(home)
    assert known is not None
    moved = known.state.data.rename(known.state.folder / "elsewhere")
    with pytest.raises(HomeNotUsableError, match="no longer"):
        open_warehouse(home)
    moved.rename(known.state.data)
    open_warehouse(home)


def test_data_of_another_major_version_are_refused_with_the_way_out(home: Settings) -> None:
    open_warehouse(home)
    embedded.stop(home)
    known = embedded.remembered(home)
    assert known is not None
    (known.state.data / "PG_VERSION").write_text("17\n", encoding="utf-8")
    with pytest.raises(HomeNotUsableError, match="PostgreSQL 17"):
        open_warehouse(home)


def test_a_server_that_cannot_start_says_why(home: Settings) -> None:
    with pytest.raises(ServerStartError, match="no_such_setting"):
        embedded.start(home, overrides={"no_such_setting": "1"})


def test_an_unreachable_existing_server_is_named_without_its_password(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"postgresql://takt_owner:hidden@127.0.0.1:{closed.getsockname()[1]}/takt"
        settings = Settings.model_validate({"home": tmp_path, "database_url": url, "api_database_url": url})
        with pytest.raises(WarehouseUnreachableError) as caught:
            open_warehouse(settings)
    assert "hidden" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


def test_it_runs_in_utc_and_keeps_every_promise_of_a_commit(home: Settings) -> None:
    warehouse = open_warehouse(home)
    with psycopg.connect(warehouse.owner_url) as connection:
        for name, value in (
            ("timezone", "UTC"),
            ("fsync", "on"),
            ("synchronous_commit", "on"),
            ("full_page_writes", "on"),
            ("jit", "off"),
            ("listen_addresses", "127.0.0.1"),
            ("password_encryption", "scram-sha-256"),
        ):
            assert connection.execute("select current_setting(%s)", [name]).fetchone() == (value,), name


def test_the_users_own_settings_win(home: Settings) -> None:
    open_warehouse(home)
    embedded.stop(home)
    known = embedded.remembered(home)
    assert known is not None
    (known.state.folder / "custom.conf").write_text("work_mem = '7MB'\n", encoding="utf-8")
    with psycopg.connect(open_warehouse(home).owner_url) as connection:
        assert connection.execute("show work_mem").fetchone() == ("7MB",)
