"""The built wheel carries its SQL, YAML, seeds and pages: installed into an empty environment, it runs the demo."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _run(*command: str | Path, cwd: Path, environment: dict[str, str] | None = None) -> str:
    result = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.timeout(600)
def test_the_wheel_in_an_empty_environment_runs_the_demo(tmp_path: Path) -> None:
    _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    _run(sys.executable, "-m", "uv", "venv", "--quiet", "--python", sys.executable, tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    _run(
        *(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python),
        *("--constraints", ROOT / "requirements.lock", wheel),
        cwd=tmp_path,
    )
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("TAKT_", "DAGSTER_", "PYTHON"))
    }
    environment = {**inherited, "TAKT_HOME": str(tmp_path / "home")}
    takt = tmp_path / "venv" / "bin" / "takt"
    try:
        shown = _run(takt, "demo", "--days", "5", cwd=tmp_path, environment=environment)
    finally:
        _run(takt, "down", cwd=tmp_path, environment=environment)
    assert "OEE" in shown
