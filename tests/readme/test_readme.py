"""Every command of the README runs, in order, in one shared home; what a reader types is what is tested."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)

# Run by other means: these are how the tests themselves are run, or install into the reader's checkout.
ELSEWHERE = {"make test", "make chaos", "make bench", "make lint"}
SERVERS = {"make up", "takt up", "dagster dev"}


def commands() -> list[str]:
    """The lines of the README's bash blocks, comments apart, continuations joined."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines: list[str] = []
    for block in _BLOCK.findall(text):
        joined = block.replace("\\\n", " ")
        lines += [line.strip() for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    return lines


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    home = tmp_path_factory.mktemp("readme")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TAKT_", "DAGSTER_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    values = {**inherited, "TAKT_HOME": str(home / "takt"), "HOME": str(home), "PATH": path}
    yield values
    subprocess.run([sys.executable, "-m", "platform_cli.main", "down"], env=values, check=False, capture_output=True)


def _as_run(command: str, environment: dict[str, str]) -> str:
    """`make demo` and `make up` run without the installation step, which the tests' own environment has done.

    What the reader writes to /tmp goes to the test's own folder: another user's files may be there.
    """
    own = command.replace("/tmp/", f"{environment['HOME']}/")
    return own.replace("make demo", "takt demo").replace("make up", "takt up").replace(".venv/bin/", "")


def _serves(command: str, environment: dict[str, str], workspace: Path) -> None:
    """Start a server as the README says, wait until it says where it is, and stop it as Ctrl-C does."""
    log = Path(environment["HOME"]) / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            shlex.split(_as_run(command, environment)),
            cwd=workspace,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline and process.poll() is None:
            addresses = re.findall(r"http://127\.0\.0\.1:\d+", log.read_text())
            if addresses and httpx.get(addresses[0], timeout=30, follow_redirects=True).status_code < 500:
                return
            time.sleep(1)
        pytest.fail(f"{command} did not come up:\n{log.read_text()}")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


@pytest.mark.timeout(900)
def test_every_command_of_the_readme_runs(environment: dict[str, str], tmp_path: Path) -> None:
    workspace = tmp_path / "checkout"
    workspace.symlink_to(ROOT)
    ran: list[str] = []
    for command in commands():
        if command in ELSEWHERE:
            continue
        print(f"$ {command}", flush=True)
        if command in SERVERS:
            _serves(command, environment, workspace)
        else:
            result = subprocess.run(
                ["bash", "-c", _as_run(command, environment)],
                cwd=workspace,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                stdin=subprocess.DEVNULL,
            )
            assert result.returncode == 0, f"$ {command}\n{result.stdout}\n{result.stderr}"
        ran.append(command)
    assert "make demo" in ran


def test_the_readme_names_every_command_of_takt() -> None:
    from platform_cli.main import COMMANDS

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"takt {name}" not in text] == []
