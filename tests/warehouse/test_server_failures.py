"""When the server or its disk fails in the middle: a clear error, nothing half stored, and the same again works."""

import os
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path

import psutil
import psycopg
import pytest

from platform_core.settings import Settings
from platform_core.warehouse import embedded
from platform_core.warehouse.connection import Warehouse, autocommit, open_warehouse, transaction
from platform_core.warehouse.errors import ConnectionLostError, DiskFullError, WarehouseUnreachableError
from tests.warehouse.homes import a_home, kill_all, main_processes

ROWS = "insert into kept select n, repeat('x', 500) from generate_series(1, %s) n"


@pytest.fixture
def home() -> Generator[Settings]:
    with a_home() as settings:
        yield settings


def _make_table(warehouse: Warehouse) -> None:
    with transaction(warehouse) as connection:
        connection.execute("create table kept (n integer, filler text)")


def _count(warehouse: Warehouse) -> int:
    with transaction(warehouse) as connection:
        row = connection.execute("select count(*) from kept").fetchone()
    assert row is not None
    return row[0]


def test_a_killed_server_is_an_error_of_ours_and_nothing_is_half_stored(home: Settings) -> None:
    warehouse = open_warehouse(home)
    _make_table(warehouse)

    def insert_and_lose_the_server() -> None:
        with transaction(warehouse) as connection:
            connection.execute(ROWS, [10])
            kill_all(main_processes(home))
            while connection.execute("select 1"):
                pass

    with pytest.raises(ConnectionLostError, match="was lost"):
        insert_and_lose_the_server()
    with pytest.raises(WarehouseUnreachableError):
        _count(warehouse)
    assert _count(open_warehouse(home)) == 0
    with transaction(warehouse) as connection:
        connection.execute(ROWS, [10])
    assert _count(warehouse) == 10


def test_a_crash_of_one_backend_is_waited_for_by_the_next_transaction(home: Settings) -> None:
    warehouse = open_warehouse(home)
    _make_table(warehouse)

    def insert_and_lose_the_backend() -> None:
        with transaction(warehouse) as connection:
            connection.execute(ROWS, [10])
            psutil.Process(connection.info.backend_pid).kill()
            connection.execute("select 1")

    with pytest.raises(ConnectionLostError):
        insert_and_lose_the_backend()
    assert _count(warehouse) == 0  # at once: the server recovers meanwhile


def test_losing_a_lock_or_a_deadlock_stays_what_it_is(warehouse: Warehouse) -> None:
    _make_table(warehouse)
    with transaction(warehouse) as first:
        first.execute("lock table kept in access exclusive mode")
        with pytest.raises(psycopg.errors.LockNotAvailable), transaction(warehouse) as second:
            second.execute("lock table kept in access exclusive mode nowait")


def test_a_transaction_commits_at_its_end_or_leaves_nothing(warehouse: Warehouse) -> None:
    _make_table(warehouse)

    def insert_and_fail() -> None:
        with transaction(warehouse) as connection:
            connection.execute(ROWS, [5])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        insert_and_fail()
    assert _count(warehouse) == 0
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), transaction(warehouse, read_only=True) as connection:
        connection.execute(ROWS, [5])
    with autocommit(warehouse) as connection:
        connection.execute(ROWS, [5])
        assert _count(warehouse) == 5


@pytest.fixture
def small_disk() -> Generator[Settings]:
    """A home on a disk of 160 MB; only root can mount one."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    with a_home("disk/takt") as settings:
        disk = settings.home.parent
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m,mode=755", "takt-test", str(disk)])
        if mounted.returncode:
            pytest.skip("this machine lets nobody mount a disk")
        try:
            yield settings
        finally:
            embedded.stop(settings)
            shutil.rmtree(settings.home)
            subprocess.run(["umount", str(disk)], check=True)


def _leave_free(folder: Path, megabytes: int) -> Path:
    """Fill the disk but for so much."""
    ballast = folder.parent / "ballast"
    size = shutil.disk_usage(folder).free - megabytes * 1024 * 1024
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
    return ballast


def test_a_full_disk_under_a_table_is_an_error_of_ours_and_the_same_again_works(small_disk: Settings) -> None:
    warehouse = open_warehouse(small_disk)
    with transaction(warehouse) as connection:
        connection.execute("create unlogged table kept (n integer, filler text)")  # fills the disk without its log
    ballast = _leave_free(small_disk.home, 20)
    with pytest.raises(DiskFullError, match="no room"), transaction(warehouse) as connection:
        connection.execute(ROWS, [100_000])
    assert _count(warehouse) == 0
    ballast.unlink()
    with transaction(warehouse) as connection:
        connection.execute(ROWS, [20_000])
    assert _count(warehouse) == 20_000


def test_a_full_disk_under_the_log_loses_no_committed_row(small_disk: Settings) -> None:
    warehouse = open_warehouse(small_disk)
    _make_table(warehouse)
    with transaction(warehouse) as connection:
        connection.execute(ROWS, [1000])
    ballast = _leave_free(small_disk.home, 10)
    with pytest.raises((DiskFullError, ConnectionLostError)), transaction(warehouse) as connection:
        connection.execute(ROWS, [100_000])
    ballast.unlink()
    warehouse = open_warehouse(small_disk)
    assert _count(warehouse) == 1000
    with transaction(warehouse) as connection:
        connection.execute(ROWS, [1000])
    assert _count(warehouse) == 2000
