"""The Makefile's targets call what the README says, and the second time nothing is installed."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CALLS = {
    "demo": ".venv/bin/takt demo",
    "up": ".venv/bin/takt up",
    "down": ".venv/bin/takt down",
    "test": ".venv/bin/python -m pytest",
    "chaos": ".venv/bin/python -m pytest -m chaos",
    "bench": ".venv/bin/python -m benchmarks",
    "lint": ".venv/bin/ruff check .",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in which everything has been installed, as far as make can tell."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".installed").touch()
    return tmp_path


def make(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments], cwd=checkout, env=inherited, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("target", CALLS)
def test_a_target_calls_what_the_readme_says_and_installs_nothing_the_second_time(checkout: Path, target: str) -> None:
    shown = make(checkout, "--dry-run", target).stdout.splitlines()
    assert shown[0].startswith(CALLS[target])
    assert not [line for line in shown if "pip" in line or "Installing" in line]
    assert f"make {target}" in (ROOT / "README.md").read_text(encoding="utf-8") or target == "down"


def test_installing_a_second_time_does_nothing_and_is_quick(checkout: Path) -> None:
    began = time.monotonic()
    done = make(checkout, "install")
    assert time.monotonic() - began < 5
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"make(\[\d+\])?: Nothing to be done for .install.\.\n", done.stdout)
    assert make(checkout, "--question", "install").returncode == 0
    assert list((checkout / ".venv").iterdir()) == [checkout / ".venv" / ".installed"]


@pytest.mark.parametrize("changed", ["requirements.lock", "pyproject.toml"])
def test_what_is_installed_is_renewed_when_the_lock_file_or_the_project_changes(checkout: Path, changed: str) -> None:
    later = time.time() + 10
    os.utime(checkout / changed, (later, later))
    for target in ("install", "demo", "up"):
        shown = make(checkout, "--dry-run", target).stdout
        assert re.search(r"uv pip sync .*--require-hashes requirements\.lock", shown)
        assert re.search(r"uv pip install .*--editable \.", shown)
    assert make(checkout, "--question", "install").returncode == 1
