"""Runs in a process of its own: for each (crash point, database) a child builds and is killed at that point."""

import os
import signal
import sys
from datetime import date

from dbt_like_sql.project import load_project
from platform_core.warehouse import expectations
from platform_core.warehouse.connection import Warehouse
from platform_core.warehouse.publish import build
from tests.warehouse.small import MODELS, NOW


def main(days: list[date], cases: list[tuple[str, str]]) -> None:
    """Exit with 1 when a child was not killed."""
    expectations._library()  # once, not in every child: it takes seconds
    for point, url in cases:
        child = os.fork()
        if child == 0:
            os.environ["TAKT_CRASH_AT"] = point
            build(Warehouse(url, url, url), load_project(MODELS), days, now=NOW, run_id="killed")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            sys.exit(f"{point}: the process was not killed there")


if __name__ == "__main__":
    main(
        [date.fromisoformat(text) for text in sys.argv[1].split(",")],
        [(point, url) for point, _, url in (case.partition("=") for case in sys.argv[2:])],
    )
