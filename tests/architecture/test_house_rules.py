"""The rules of the house hold in this tree, and each one bites on a planted violation."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture import guards

ROOT = Path(__file__).parents[2]


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    for package in guards.PACKAGES:
        (tmp_path / package).mkdir()
    return tmp_path


def _plant(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_no_file_is_over_400_lines() -> None:
    assert guards.long_files(ROOT) == []


def test_a_file_of_401_lines_is_found(planted: Path) -> None:
    _plant(planted, "platform_core/long.py", "x = 1\n" * 401)
    assert guards.long_files(planted) == ["platform_core/long.py: 401 lines"]


def test_no_function_is_over_50_lines() -> None:
    assert guards.long_functions(ROOT) == []


def test_a_function_of_51_lines_is_found(planted: Path) -> None:
    _plant(planted, "platform_api/f.py", "def f():\n    '''Doc.'''\n" + "    x = 1\n" * 51)
    assert guards.long_functions(planted) == ["platform_api/f.py:1 f: 51 lines"]


def test_sql_stands_only_in_models_migrations_and_stores() -> None:
    assert guards.stray_sql(ROOT) == []


def test_sql_outside_a_store_is_found(planted: Path) -> None:
    _plant(planted, "platform_core/bi/service.py", '"""Select what matters."""\nQ = "select a from b"\n')
    _plant(planted, "platform_core/bi/store.py", 'Q = "select a from b"\n')
    assert guards.stray_sql(planted) == ["platform_core/bi/service.py:2 'select a from b'"]


def test_nothing_commits_outside_the_unit_of_work() -> None:
    assert guards.stray_commits(ROOT) == []


def test_a_commit_elsewhere_is_found(planted: Path) -> None:
    _plant(planted, "platform_core/bi/store.py", "def f(conn):\n    conn.commit()\n")
    _plant(planted, "platform_core/warehouse/connection.py", "def f(conn):\n    conn.commit()\n")
    assert guards.stray_commits(planted) == ["platform_core/bi/store.py:2 commit()"]


def _tracked_files() -> list[Path]:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    return [Path(line) for line in listing.stdout.splitlines() if (ROOT / line).is_file()]


def test_no_committed_file_names_a_registry_or_a_machine() -> None:
    assert guards.foreign_words(ROOT, _tracked_files()) == []


def test_a_registry_host_is_found(planted: Path) -> None:
    _plant(planted, "requirements.lock", "--index-url https://" + "py" + "pi.org/simple\n")
    assert guards.foreign_words(planted, [Path("requirements.lock")]) != []


@pytest.mark.parametrize(
    ("name", "code", "rule"),
    [
        ("platform_core/x.py", "from datetime import datetime, UTC\n\nNOW = datetime.now(UTC)\n", "TID251"),
        (
            "platform_core/x.py",
            "def f() -> None:\n    try:\n        g()\n    except Exception:\n        h()\n",
            "BLE001",
        ),
        ("platform_core/x.py", "def f(a):\n    return a\n", "ANN001"),
        (
            "platform_core/x.py",
            "def f(a: int) -> int:\n"
            + "".join(f"    if a == {n}:\n        return {n}\n" for n in range(11))
            + "    return 0\n",
            "C901",
        ),
        ("platform_core/x.py", "def f(a: int) -> None:\n" + "    print(a)\n" * 51, "PLR0915"),
    ],
)
def test_ruff_refuses(name: str, code: str, rule: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--output-format", "concise", "--stdin-filename", name, "-"],
        cwd=ROOT,
        input=code,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert rule in result.stdout


@pytest.mark.parametrize(
    ("name", "code", "contract"),
    [
        ("platform_core/planted.py", "import dagster\n", "The core knows nothing of HTTP servers or Dagster"),
        ("platform_core/planted.py", "import platform_api\n", "Packages point one way"),
        ("dbt_like_sql/planted.py", "import psycopg\n", "The catalogue of models never connects"),
        ("platform_api/planted.py", "import dagster\n", "The API reaches Dagster by GraphQL, never by import"),
        (
            "platform_core/warehouse/planted.py",
            "import platform_core.trace.service\n",
            "Domains use one another in one order",
        ),
        ("platform_core/status/planted.py", "import platform_core.trace\n", "Domains use one another in one order"),
        (
            "platform_api/routers/planted.py",
            "import platform_core.trace.store\n",
            "Routers call services, never a store or the database",
        ),
        ("platform_api/routers/planted.py", "import psycopg\n", "Routers call services, never a store or the database"),
        (
            "platform_core/ingest/store/planted.py",
            "import platform_core.ingest.service\n",
            "A store knows no service",
        ),
    ],
)
def test_import_linter_refuses(tmp_path: Path, name: str, code: str, contract: str) -> None:
    for package in guards.PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    _plant(tmp_path, name, code)
    script = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as c; c()"
    result = subprocess.run(
        [sys.executable, "-c", script, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert f"{contract} BROKEN" in result.stdout


def test_pyright_refuses_an_untyped_argument(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in (*guards.PACKAGES, "tests", "benchmarks"):
        (tmp_path / package).mkdir()
    _plant(tmp_path, "platform_core/planted.py", "def f(a):\n    return a\n")
    result = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--project", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "reportMissingParameterType" in result.stdout


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("import warnings\n\ndef test_it():\n    warnings.warn('old')\n", "UserWarning: old"),
        (
            "import pytest\n\n@pytest.mark.choas\ndef test_it():\n    pass\n",
            "'choas' not found in `markers` configuration option",
        ),
        ("import pytest\n\n@pytest.mark.xfail\ndef test_it():\n    pass\n", "[XPASS(strict)]"),
    ],
    ids=["warning", "mistyped marker", "silent xfail"],
)
def test_pytest_refuses(tmp_path: Path, code: str, complaint: str) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    _plant(tmp_path, "tests/test_planted.py", code)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert complaint in result.stdout + result.stderr


SETTING = ("platform_core/settings.py", "    home: Path", "    planted: int = 1\n    home: Path")
ERROR = (
    "platform_core/suggest/errors.py",
    "\nclass ",
    '\nclass PlantedError(TaktError):\n    """Planted."""\n\n    code = "ERR_PLANTED"\n\n\nclass ',
)
MODEL = ("dbt_like_sql/models/dimensions/dim_line.yml", "description: ", "description: Planted. ")
PACKAGE = ("platform_core/suggest/__init__.py", '"""', '"""Planted. ')


@pytest.mark.parametrize(
    ("place", "pages"),
    [
        (SETTING, {"docs/reference/settings.md"}),
        (ERROR, {"docs/reference/errors.md", "platform_api/error_codes.yml"}),
        (MODEL, {"docs/reference/models.md"}),
        (PACKAGE, {"README.md"}),
    ],
    ids=["setting", "error class", "model", "tree"],
)
def test_what_the_reference_does_not_say_is_found(tmp_path: Path, place: tuple[str, str, str], pages: set[str]) -> None:
    for folder in (*guards.PACKAGES, "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "README.md", tmp_path)
    for command in (["git", "init", "--quiet"], ["git", "add", *guards.PACKAGES]):
        subprocess.run(command, cwd=tmp_path, check=True)
    assert _generate(tmp_path) == set()
    name, old, new = place
    text = (tmp_path / name).read_text(encoding="utf-8")
    assert old in text
    _plant(tmp_path, name, text.replace(old, new, 1))
    assert _generate(tmp_path, "--check") == pages


def _generate(root: Path, *options: str) -> set[str]:
    """Write the pages of that tree, or name those that differ from its code."""
    result = subprocess.run(
        [sys.executable, "docs/generate.py", *options],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode in (0, 1), result.stderr
    return {line.split(" ", 1)[0] for line in result.stdout.splitlines()}
