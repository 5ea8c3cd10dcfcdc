"""Pieces of work to be killed: each case runs in a process forked for it alone, with its crash point chosen.

    python -m tests.crashing WORK < cases.json

A case is an object of strings: `at`, the crash point ("" lets it end well), and what the work needs. Forking spares
each case the seconds of import.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from importlib import import_module
from pathlib import Path

from dbt_like_sql.project import load_project
from platform_core.ingest.inbox import Inbox
from platform_core.ingest.service import Ingest, inbox_handler, ingest_file, ingest_source
from platform_core.settings import Settings
from platform_core.tenants.service import get_tenant
from platform_core.warehouse import archive, attach, candidates, expectations
from platform_core.warehouse.connection import Warehouse, transaction
from platform_core.warehouse.ddl import apply_project
from platform_core.warehouse.publish import build
from tests.ingest.landing_help import NOW as ARRIVAL
from tests.ingest.landing_help import project
from tests.warehouse.small import MODELS, NOW

Case = Mapping[str, str]
ROOT = Path(__file__).parents[1]


def run_cases(work: str, cases: Iterable[Case]) -> None:
    """Do the work for each case; fails unless each was killed at its point, or ended well where it has none."""
    subprocess.run(
        [sys.executable, "-m", "tests.crashing", work],
        check=True,
        cwd=ROOT,
        input=json.dumps(list(cases)),
        text=True,
        timeout=250,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )


def _warehouse(case: Case) -> Warehouse:
    return Warehouse(case["url"], case["url"], case["url"])


def _build(case: Case) -> None:
    days = [date.fromisoformat(text) for text in case["dates"].split(",")]
    build(_warehouse(case), load_project(MODELS), days, now=NOW, run_id="killed")


def _exchange(case: Case) -> None:
    """However few the rows, a candidate takes its partition's place."""
    attach.FROM_ROWS = 0
    _build(case)


def _beside(case: Case) -> None:
    """However few the rows, two sessions replace them."""
    candidates.SIDE_BY_SIDE_FROM_ROWS = 0
    _build(case)


def _swap(case: Case) -> None:
    apply_project(_warehouse(case), load_project(Path(case["models"])))


def _seal(case: Case) -> None:
    month = date.fromisoformat(case["month"])
    archive.seal(_warehouse(case), Settings(home=Path(case["home"])), load_project(MODELS), month)


def _attach(case: Case) -> None:
    archive.unseal(_warehouse(case), load_project(MODELS), date.fromisoformat(case["month"]))


def _ingest(case: Case) -> None:
    """Master data from a file, a pull from a source, a round of the inbox."""
    home, warehouse = Path(case["home"]), _warehouse(case)
    with transaction(warehouse) as conn:
        tenant = get_tenant(conn, case["tenant"])
    ingest = Ingest(warehouse, Settings(home=home), project(), tenant, ARRIVAL)
    ingest_file(ingest, Path(case["shifts"]), mapping="takt_shift")
    ingest_source(ingest, "mes")
    with Inbox(home / "inbox" / tenant.slug, settle_seconds=0) as inbox:
        inbox.run_once(inbox_handler(ingest, clock=lambda: ARRIVAL))


WORKS: Mapping[str, Callable[[Case], None]] = {
    "build": _build,
    "exchange": _exchange,
    "beside": _beside,
    "swap": _swap,
    "seal": _seal,
    "attach": _attach,
    "ingest": _ingest,
}


def main(work: str, cases: Iterable[Case]) -> None:
    """Exit with 1 when a child ended otherwise than it should."""
    # Once, not in every child:
    if work in ("build", "exchange", "beside"):
        expectations._library()
    if work == "ingest":
        project()
        import_module("sqlalchemy.dialects.sqlite")
    for case in cases:
        child = os.fork()
        if child == 0:
            os.environ["TAKT_CRASH_AT"] = case["at"]
            WORKS[work](case)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if not (killed if case["at"] else status == 0):
            sys.exit(f"{work} {case['at']}: ended with status {status}")


if __name__ == "__main__":
    main(sys.argv[1], json.load(sys.stdin))
