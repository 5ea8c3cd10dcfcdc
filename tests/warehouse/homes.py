"""Homes with embedded servers of a test's own, started with the settings that users get."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from platform_core.settings import Settings
from platform_core.warehouse import embedded
from tests.conftest import make_home, remove_home


@contextmanager
def a_home(below: str = "") -> Generator[Settings]:
    """Settings with a TAKT_HOME that does not exist yet; whatever is made there is stopped and removed afterwards."""
    outer = make_home()
    settings = Settings(
        home=outer / below if below else outer / "takt",
        database_url=None,
        api_database_url=None,
        dagster_database_url=None,
    )
    try:
        yield settings
    finally:
        remove_home(settings)
        _remove_tree(outer)


def _remove_tree(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


def server_processes(settings: Settings) -> list[psutil.Process]:
    """The main process of the home's server and all its children."""
    known = embedded.remembered(settings)
    assert known is not None
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()) == known.state.data:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def main_processes(settings: Settings) -> list[psutil.Process]:
    """Those of them that no other one has started: one, unless two servers run on the same data."""
    found = server_processes(settings)
    numbers = {process.pid for process in found}
    return [process for process in found if process.ppid() not in numbers]


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """`kill -9` of each; the first one's end may take others with it before their turn comes."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
