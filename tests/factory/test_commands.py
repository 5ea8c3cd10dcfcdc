"""`takt generate` and `takt mock-erp`, as a user calls them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import yaml

from platform_core.factory.mock_erp import TOKEN

TAKT = [sys.executable, "-m", "platform_cli.main"]


def _takt(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*TAKT, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_generate_says_what_it_wrote(tmp_path: Path) -> None:
    arguments = ["generate", "-o", str(tmp_path), "--days", "2", "--tenants", "1", "--end-date", "2025-11-05"]
    done = _takt(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["first_date"], report["last_date"], report["tenants"]) == ("2025-11-04", "2025-11-05", ["alpha"])
    assert report["files"] == len(json.loads((tmp_path / "manifest.json").read_text())["files"])
    assert "2025-11-04 to 2025-11-05" in _takt(*arguments).stdout


def test_generate_refuses_what_makes_no_factory(tmp_path: Path) -> None:
    assert _takt("generate", "-o", str(tmp_path), "--days", "0").returncode == 2
    too_many = _takt("generate", "-o", str(tmp_path), "--lines", "100")
    assert too_many.returncode == 1
    assert "ERR_FACTORY_INVALID" in too_many.stderr


def test_mock_erp_answers_until_it_is_interrupted_and_gives_its_sources() -> None:
    arguments = ["mock-erp", "--days", "2", "--tenants", "1", "--trouble", "0", "--end-date", "2025-11-05", "--json"]
    process = subprocess.Popen(
        [*TAKT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        source = yaml.safe_load(told["sources"]["alpha"]["erp_work_orders"])
        reader = source["reader"]
        answer = httpx.get(
            reader["url"] + reader["path"], headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False
        )
        assert answer.json()["data"]
        port = told["url"].rsplit(":", 1)[1]
        taken = _takt("mock-erp", "--days", "1", "--tenants", "1", "--port", port)
        assert taken.returncode == 1
        assert "ERR_FACTORY_INVALID" in taken.stderr
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 0
        assert "1 x 200" in errors
    finally:
        process.kill()
        process.wait()
