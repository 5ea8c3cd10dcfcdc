"""Every command of the README runs, in order, in one shared home; what a reader types is what is tested.

The reader's checkout is a copy, so that the models that the README adds change nothing here.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest

from platform_core.warehouse import embedded
from tests.conftest import FAST
from tests.platform_cli.interrupting import interruptible
from tests.warehouse.homes import a_home

ROOT = Path(__file__).parents[2]
# A bash block, or the path of a file in backticks with its content right after.
_STEP = re.compile(
    r"^```bash\n(?P<commands>.*?)^```|^`(?P<path>[\w/.]+)`\n\n```(?:sql|yaml)\n(?P<content>.*?)^```",
    re.MULTILINE | re.DOTALL,
)

# Run by other means: these are how the tests themselves are run, or install into the reader's checkout.
ELSEWHERE = {"make test", "make chaos", "make bench", "make lint"}
SERVERS = {"make up", "takt up", "dagster dev"}
PLACE_OF_ADMIN = "postgresql://USER:PASSWORD@HOST:PORT/postgres"


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Step:
    """What the README tells to do: commands to type, or a file to write."""

    commands: tuple[str, ...] = ()
    path: str = ""
    content: str = ""


def steps() -> list[Step]:
    """All of them in order; comments apart, continuations joined."""
    found: list[Step] = []
    for match in _STEP.finditer(readme()):
        if match["path"]:
            found.append(Step(path=match["path"], content=match["content"]))
            continue
        lines = match["commands"].replace("\\\n", " ").splitlines()
        found.append(Step(tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))))
    return found


def _column(shown: str, name: str) -> list[str]:
    """A column of a table as psql prints it."""
    header, _, *lines = shown.splitlines()
    place = [title.strip() for title in header.split("|")].index(name)
    return [line.split("|")[place].strip() for line in lines if line.count("|") == header.count("|")]


def _has_values(name: str) -> Callable[[str], bool]:
    def check(shown: str) -> bool:
        values = _column(shown, name)
        return bool(values) and all(values)

    return check


def _says(*parts: str) -> Callable[[str], bool]:
    return lambda shown: all(part in shown for part in parts)


# What a command must show for the README's words about it to be true: a check for each time that it comes.
SHOWN: dict[str, list[Callable[[str], object]]] = {
    "make demo": [_says("OEE of", "mes work_order")],
    "takt status --tenant alpha --json": [lambda shown: json.loads(shown)["models"]],
    "takt status --tenant myplant": [_says("Warnings, ", "ideal_cycle_time_is_known", "P003")],
    "takt doctor": [_says("Nothing is broken.", "embedded"), _says("Nothing is broken.", "existing")],
    "takt trace": [_says("<- core.erp_mes_data", " line ")],
    'takt psql --tenant alpha --role api -- -c "select date, line_code, round(oee': [_has_values("oee")],
    "takt psql --tenant myplant": [_has_values("oee")],
    "takt archive seal": [_says("2026-03 is sealed: ")],
    "takt archive list": [_says("2026-03  sealed")],
    "takt archive attach": [_says("2026-03 is attached")],
    "python -m pytest": [lambda shown: re.search(r"[1-9]\d* passed", shown)],
    'takt psql --tenant alpha --role api -- -c "select * from bi.v_fact_daily_waste': [_has_values("line_code")],
    "dg list defs": [_says("bi/fact_daily_waste")],
    "takt init --admin-url": [_says("existing PostgreSQL", "Made takt_owner, takt_api, takt, dagster.")],
    'takt psql -- -c "insert into core.bi_login': [_says("INSERT 0 1")],
    "takt dsn --role api": [lambda shown: shown.startswith("postgresql://takt_api:")],
    "takt ingest --source": [_says(" landed"), lambda shown: " landed" not in shown],
}


@dataclass
class Reader:
    """Somebody who goes through the README in a checkout of their own."""

    environment: dict[str, str]
    checkout: Path
    admin_url: str
    proved: Counter[str] = field(default_factory=Counter[str])
    _served: ExitStack = field(default_factory=ExitStack)

    def types(self, command: str) -> str:
        """`make demo` and `make up` run without the installation step, which the tests' own environment has done.

        What the reader writes to /tmp goes to the test's own folder: another user's files may be there.
        """
        own = command.replace("/tmp/", f"{self.environment['HOME']}/").replace(PLACE_OF_ADMIN, self.admin_url)
        return own.replace("make demo", "takt demo").replace("make up", "takt up").replace(".venv/bin/", "")

    def does(self, command: str) -> None:
        """Run the command and look at what it shows."""
        if command in SERVERS:
            with ExitStack() as served:
                self._serves(command, served)
        elif command.startswith("takt mock-erp"):
            self._serves(command, self._served)
        else:
            shown = self.runs(command)
            for beginning, checks in SHOWN.items():
                if command.startswith(beginning):
                    assert checks[self.proved[beginning]](shown), f"$ {command}\n{shown}"
                    self.proved[beginning] += 1

    def writes(self, path: str, content: str) -> None:
        """A file of the checkout."""
        (self.checkout / path).parent.mkdir(parents=True, exist_ok=True)
        (self.checkout / path).write_text(content, encoding="utf-8")

    def stops(self) -> None:
        """Ctrl-C in the other terminals."""
        self._served.close()

    def runs(self, command: str) -> str:
        """What a command prints when it succeeds."""
        result = subprocess.run(
            ["bash", "-c", self.types(command)],
            cwd=self.checkout,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert result.returncode == 0, f"$ {command}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    def _serves(self, command: str, served: ExitStack) -> None:
        """Start a server as the README says and wait until it says where it is; it stops as Ctrl-C does."""
        log = Path(self.environment["HOME"]) / f"{command.split()[1]}.log"
        with log.open("w") as output:
            running = interruptible(
                shlex.split(self.types(command)),
                cwd=self.checkout,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            process = served.enter_context(running)
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline and process.poll() is None:
            addresses = re.findall(r"http://127\.0\.0\.1:\d+", log.read_text())
            if addresses and httpx.get(addresses[0], timeout=30, follow_redirects=True).status_code < 500:
                return
            time.sleep(1)
        pytest.fail(f"{command} did not come up:\n{log.read_text()}")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the repository, as a reader would have cloned it."""
    leave = shutil.ignore_patterns(".venv", ".git", ".*cache", "__pycache__", ".hypothesis", "dist", "build")
    return Path(shutil.copytree(ROOT, tmp_path / "checkout", ignore=leave))


@pytest.fixture
def reader(tmp_path: Path, checkout: Path) -> Iterator[Reader]:
    home = tmp_path / "reader"
    home.mkdir()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TAKT_", "DAGSTER_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    values = {**inherited, "TAKT_HOME": str(home / "takt"), "HOME": str(home), "PATH": path}
    values["PYTHONPATH"] = str(checkout)  # where the reader has installed from
    with a_home() as elsewhere:
        found = Reader(values, checkout, embedded.start(elsewhere, overrides=FAST).admin_url)
        try:
            yield found
        finally:
            found.stops()
            down = [sys.executable, "-m", "platform_cli.main", "down"]
            subprocess.run(down, cwd=checkout, env=values, check=False, capture_output=True)


@pytest.mark.timeout(1200)
def test_every_command_of_the_readme_runs_and_shows_what_it_should(reader: Reader) -> None:
    other_home = replace(reader, environment=reader.environment | {"TAKT_HOME": f"{reader.environment['HOME']}/other"})
    no_table = "takt psql -- -Atc \"select to_regclass('bi.fact_daily_waste')\""
    ran: list[str] = []
    for step in steps():
        if step.path:
            assert reader.runs(no_table) == "\n", "the table is there before the reader has made it"
            reader.writes(step.path, step.content)
        # A server of one's own is another warehouse; the rest of the README goes on with the first one.
        somebody = other_home if any(PLACE_OF_ADMIN in command for command in step.commands) else reader
        for command in step.commands:
            if command not in ELSEWHERE:
                print(f"$ {command}", flush=True)
                somebody.does(command)
                ran.append(command)
    assert "make demo" in ran
    assert reader.proved == {beginning: len(checks) for beginning, checks in SHOWN.items()}


def test_the_readme_names_every_command_of_takt() -> None:
    from platform_cli.main import COMMANDS

    assert [name for name in COMMANDS if f"takt {name}" not in readme()] == []
