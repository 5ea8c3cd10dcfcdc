"""What a person waits for: `takt demo`, `takt refresh` of one day and `takt status`, each as a fresh process."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.common import Result, median_seconds, seconds


def run() -> list[Result]:
    """Seconds against the limits that the project set itself; there is nothing else to compare with."""
    with TemporaryDirectory(prefix="takt-bench-") as folder:
        environment = {**os.environ, "TAKT_HOME": str(Path(folder) / "home")}

        def takt(*arguments: str) -> None:
            command = [sys.executable, "-m", "platform_cli.main", *arguments]
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)

        try:
            demo = seconds(lambda: takt("demo"))
            refresh = median_seconds(lambda: takt("refresh"))
            status = median_seconds(lambda: takt("status", "--json"), times=5)
        finally:
            takt("down")
    limits = (("takt demo", demo, 180.0), ("takt refresh, one day", refresh, 10.0), ("takt status", status, 1.0))
    return [Result(name, limit, took, "s", took / limit, "<= 1", took <= limit) for name, took, limit in limits]
