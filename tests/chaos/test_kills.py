"""kill -9 at random moments of landing, staging, auditing, replacing and refreshing: nothing is lost, nothing twice."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from queue import Empty, Queue
from random import Random
from threading import Thread

import pytest

from platform_core.factory.service import generate
from platform_core.settings import Settings
from platform_core.warehouse import embedded
from platform_core.warehouse.connection import Warehouse, open_warehouse
from platform_core.warehouse.embedded import processes
from tests.chaos.proof import record
from tests.chaos.worker import SOURCE
from tests.end_to_end.factory_period import LAST
from tests.end_to_end.warehouse_of_factory import RELATIONS, Row, assert_shows, query, read_json

pytestmark = pytest.mark.chaos

KILLS = 50
SERVER_TOO = 5
"""Every so many kills the database server is killed with the worker."""
SEED = 20251105
PATIENCE_SECONDS = 300
"""How long a worker may say nothing."""
BEGINNINGS = {
    "ready": "ready",
    "landing": "landing",
    "staging.": "staging",
    "bi.dim_": "dimensions",
    "bi.fact_": "facts",
    "publish.after_candidate": "auditing",
    "publish.after_audit": "replacing",
    "mart.before_refresh": "refreshing",
    "mart.after_commit": "auditing",
}
"""The stage that begins with what a worker says: names of models that are made, crash points that are passed."""
STAGES = ("landing", "staging", "auditing", "replacing", "refreshing")
"""Every fifth kill aims at each; a moment later the worker may be at the next, and the proof says where it was."""
ROOT = Path(__file__).parents[2]


class Worker:
    """A worker process, the lines that it has said, and what it is doing."""

    def __init__(self, settings: Settings, folder: Path, slugs: list[str]) -> None:
        environment = {**os.environ, "TAKT_HOME": str(settings.home), "PYTHONWARNINGS": "ignore"}
        environment["TAKT_TELL_CRASH_POINTS"] = "yes"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.worker", str(folder), *slugs],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said: list[str] = []
        self.spent: defaultdict[str, float] = defaultdict(float)
        """Seconds in each stage."""
        self.visits: Counter[str] = Counter()
        """How often each stage was come to."""
        self._since = time.monotonic()
        self._ended = False
        self.done: list[str] = []
        self.stage = "starting"
        self._lines: Queue[str | None] = Queue()
        Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.strip())
        self._lines.put(None)

    def follow(self, seconds: float, until: str = "", visit: int = 1) -> bool:
        """Note what it says for so long, or until its n-th visit to that stage; False when it has ended."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                line = self._lines.get(timeout=left)
            except Empty:
                return True
            if line is None:
                self._ended = True
                return False
            self.said.append(line)
            word, _, rest = line.partition(" ")
            if word == "done":
                self.done.append(rest)
            if (stage := _stage(word)) is not None:
                self._enter(stage)
                if stage == until and self.visits[stage] >= visit:
                    return True
        return True

    def _enter(self, stage: str) -> None:
        now = time.monotonic()
        self.spent[self.stage] += now - self._since
        self.visits[stage] += 1
        self.stage, self._since = stage, now

    def get_ready(self) -> None:
        """Wait until it has connected."""
        self.follow(PATIENCE_SECONDS, until="ready")
        assert self.stage == "ready", self.said

    def finish(self) -> None:
        """Let it end by itself; fail with what it said when it fails."""
        heard = -1
        while self.follow(PATIENCE_SECONDS):
            assert len(self.said) > heard, f"the worker hangs: {self.said[-5:]}"
            heard = len(self.said)
        assert self.process.wait() == 0, self.said[-30:]

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        """kill -9, unless it has ended."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if not self._ended:
            self.follow(PATIENCE_SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()


def test_totals_are_right_after_fifty_kills_at_random_moments(
    durable: Warehouse, home: Settings, tmp_path: Path
) -> None:
    factory = tmp_path / "factory"
    generate(factory, days=4, lines=3, tenants=1, seed=SEED, end_date=LAST)
    random = Random(SEED)
    slugs = ["undisturbed", *(f"plant-{number}" for number in range(KILLS))]
    undisturbed = _undisturbed(home, factory, slugs.pop(0))
    stages = [STAGES[number % len(STAGES)] for number in range(KILLS)]
    random.shuffle(stages)
    moments: Counter[str] = Counter()
    kills = servers = 0
    pending = slugs
    while kills < KILLS:
        with Worker(home, factory, pending) as worker:
            worker.get_ready()
            stage = stages[kills]
            visit = random.randint(1, undisturbed.visits[stage])
            assert worker.follow(PATIENCE_SECONDS, until=stage, visit=visit), worker.said[-30:]
            assert worker.stage == stage, worker.said[-30:]
            mean = undisturbed.spent[stage] / undisturbed.visits[stage]
            assert worker.follow(random.uniform(0, mean)), worker.said[-30:]
            moments[worker.stage] += 1
        kills += 1
        if kills % SERVER_TOO == 0:
            servers += _kill_server(home)
        pending = [slug for slug in pending if slug not in worker.done] or [f"more-{kills}"]
    warehouse = open_warehouse(home)
    shown = _tenants(warehouse)
    with Worker(home, factory, [slug for slug in pending if slug in shown]) as worker:
        worker.finish()
    _assert_whole(warehouse, read_json(factory / "truth.json"), shown)
    record(
        "kills",
        {
            "kills": kills,
            "server_killed_too": servers,
            "moments": dict(sorted(moments.items())),
            "undisturbed_seconds": {stage: round(undisturbed.spent[stage], 1) for stage in STAGES},
            "tenants_compared": len(shown),
            "tables_compared": len(RELATIONS),
            "differences": 0,
        },
    )


def _undisturbed(home: Settings, factory: Path, slug: str) -> Worker:
    """A worker that has done one tenant's work, and knows how long each stage of it takes."""
    with Worker(home, factory, [slug]) as worker:
        worker.finish()
    return worker


def _stage(word: str) -> str | None:
    return next((stage for beginning, stage in BEGINNINGS.items() if word.startswith(beginning)), None)


def _kill_server(home: Settings) -> int:
    server = embedded.remembered(home)
    assert server is not None
    postmaster = processes.postmaster(server.state)
    if postmaster is not None:
        postmaster.kill()
        postmaster.wait(30)
    return int(postmaster is not None)


def _tenants(warehouse: Warehouse) -> list[str]:
    rows = query(warehouse, "select slug from core.tenants where slug <> 'default' order by slug")
    return [row["slug"] for row in rows]


def _assert_whole(warehouse: Warehouse, truth: Row, slugs: list[str]) -> None:
    """Every tenant shows the factory's truth, no record is current twice, every finished load adds up."""
    expected = {
        name: [row | {"tenant": slug} for slug in slugs for row in truth[name] if row["tenant"] == SOURCE]
        for name in RELATIONS
    }
    assert_shows(warehouse, expected)
    twice = query(
        warehouse,
        "select tenant_id, record_type, source_system, source_pk from core.erp_mes_data where is_current "
        "group by 1, 2, 3, 4 having count(*) > 1",
    )
    assert not twice
    assert not query(warehouse, "select from core.dirty_partition where due_at <= now()")
    leftovers = query(warehouse, "select from core.partition_state where state = 'failed'")
    assert not leftovers
