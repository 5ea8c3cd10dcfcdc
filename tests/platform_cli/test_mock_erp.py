"""`takt mock-erp --tenant` writes sources that `takt ingest --source` can use, and spares what a person wrote."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.platform_cli.interrupting import interruptible

COMMAND = [sys.executable, "-m", "platform_cli.main", "mock-erp", "--days", "2", "--tenants", "1", "--tenant", "plant"]


@contextmanager
def started(home: Path, log: Path) -> Generator["subprocess.Popen[bytes]"]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TAKT_", "PG"))}
    environment = inherited | {"TAKT_HOME": str(home)}
    with (
        log.open("w") as output,
        interruptible(COMMAND, env=environment, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        yield process


def test_the_sources_of_a_tenant_are_written_anew_each_time_and_lead_to_the_erp(tmp_path: Path) -> None:
    source = tmp_path / "tenants" / "plant" / "sources" / "erp_work_orders.yml"
    for number in range(2):
        log = tmp_path / f"{number}.log"
        with started(tmp_path, log):
            deadline = time.monotonic() + 60
            while "takt ingest --source" not in log.read_text() and time.monotonic() < deadline:
                time.sleep(0.1)
        address = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
        assert address is not None, log.read_text()
        assert f"url: {address[0]}/alpha" in source.read_text(encoding="utf-8")


def test_a_source_that_a_person_wrote_is_not_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "tenants" / "plant" / "sources"
    folder.mkdir(parents=True)
    (folder / "erp_orders.yml").write_text("description: our own ERP\n", encoding="utf-8")
    log = tmp_path / "log"
    with started(tmp_path, log) as erp:
        assert erp.wait(timeout=60) == 2
    assert "is not of a mock ERP" in " ".join(log.read_text().split())
    assert [path.name for path in folder.iterdir()] == ["erp_orders.yml"]
