"""`takt up`."""

import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from platform_core.settings import Settings

if TYPE_CHECKING:
    from platform_cli.services import Ports
    from platform_cli.supervisor import Running, Service, Supervisor

app = typer.Typer()

_READY_SECONDS = 300
_LINE_EVERY_SECONDS = 10
_DATABASE_CHECK_SECONDS = 5.0


@app.command()
def up(
    dagster_port: Annotated[int | None, typer.Option(help="Port of the Dagster UI; 3000, or another if taken.")] = None,
    api_port: Annotated[int | None, typer.Option(help="Port of the API; 8000, or another if taken.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print where everything is as one line of JSON.")] = False,
) -> None:
    """Start PostgreSQL, the Dagster UI and daemon and the API; stop what it started on Ctrl-C."""
    from platform_cli.services import choose_ports
    from platform_cli.supervisor import Died, Stopped

    settings = Settings()
    with only_one(settings.home):
        ports = choose_ports(dagster_port, api_port)
        supervisor = _supervisor(settings, ports)
        supervisor.catch_signals()
        with _database(settings) as database:
            try:
                _Start(settings, supervisor, ports).everything()
                _announce(settings, ports, as_json=as_json)
                supervisor.watch(database.check, _DATABASE_CHECK_SECONDS)
            except Stopped:
                _say("Stopping ...")
            except Died as died:
                raise _death(died.running) from died
            finally:
                supervisor.stop_all()
                _forget(settings.home)
    _say("Stopped.")


@contextmanager
def only_one(home: Path) -> Generator[None]:
    """Hold the lock of `takt up`; a process that is killed lets go of it. Stops what a killed one left running."""
    from filelock import FileLock, Timeout

    from platform_cli.errors import AlreadyUpError
    from platform_cli.leftovers import stop_leftovers

    (home / "run").mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(home / "run" / "up.lock", timeout=0):
            if left := stop_leftovers(home):
                _say(f"Stopped what an earlier takt up left running: {', '.join(left)}.")
            yield
    except Timeout as error:
        where = _read_where(home)
        raise AlreadyUpError(
            f"Takt is up already (process {where.get('pid', 'unknown')}): "
            f"Dagster {where.get('dagster', 'is starting')}, API {where.get('api', 'is starting')}.",
            hint="`takt down` stops it.",
        ) from error


@dataclass
class _Database:
    """The warehouse while `takt up` runs."""

    settings: Settings

    def check(self) -> None:
        """Raise ServiceDiedError when the embedded server is gone; it is not started again silently."""
        from platform_cli.errors import ServiceDiedError
        from platform_core.warehouse import embedded

        if embedded.running(self.settings) is None:
            known = embedded.remembered(self.settings)
            log = known.state.log if known else None
            tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]) if log else ""
            raise ServiceDiedError(
                f"PostgreSQL has ended. The end of its log:\n{tail}", hint="Run takt up again; it recovers by itself."
            )


class _External(_Database):
    """An existing PostgreSQL, which others look after."""

    def check(self) -> None:
        """Nothing: connections say by themselves when it is away."""


@contextmanager
def _database(settings: Settings) -> Generator[_Database]:
    """The warehouse, started and brought up to date; at the end stopped if it was not running before."""
    from platform_core.warehouse import embedded
    from platform_core.warehouse.connection import external_warehouse
    from platform_core.warehouse.setup import prepare

    external = external_warehouse(settings) is not None
    ours = not external and embedded.running(settings) is None
    _say("PostgreSQL is starting ..." if ours else "PostgreSQL is running.")
    try:
        prepare(settings)
        yield _External(settings) if external else _Database(settings)
    finally:
        if ours:
            embedded.stop(settings)


def _supervisor(settings: Settings, ports: "Ports") -> "Supervisor":
    from platform_cli.supervisor import Supervisor, environment_with

    added = {
        "TAKT_HOME": str(settings.home.absolute()),
        "TAKT_DAGSTER_WEBSERVER_URL": ports.dagster_url,
        "DAGSTER_HOME": str(_dagster_home(settings)),
    }
    return Supervisor(settings.home / "logs", environment_with(added))


def _dagster_home(settings: Settings) -> Path:
    from platform_assets.home import dagster_home

    return dagster_home(settings)


@dataclass
class _Start:
    """Bringing everything up, in the order in which one needs the other."""

    settings: Settings
    supervisor: "Supervisor"
    ports: "Ports"

    def everything(self) -> None:
        """Start all services and wait until each does its work."""
        from platform_cli import services

        self.supervisor.check()
        workspace = services.write_workspace(_dagster_home(self.settings), self.ports)
        api = self._start(services.api(self.ports))
        code = self._start(services.code_server(self.ports))
        with _progress() as progress:
            self._wait(code, progress, "Dagster is loading the definitions")
            web = self._start(services.webserver(self.ports, workspace))
            daemon = self._start(services.daemon(self.ports, workspace))
            self._wait(web, progress, "Dagster's webserver is starting")
            self._wait(daemon, progress, "Dagster's daemon is starting")
            self._wait(api, progress, "The API is starting")

    def _start(self, service: "Service") -> "Running":
        from platform_cli.leftovers import remember

        running = self.supervisor.start(service)
        remember(self.settings.home, {"takt up": os.getpid(), **self.supervisor.pids})
        return running

    def _wait(self, running: "Running", progress: "_Progress", text: str) -> None:
        from platform_cli.errors import ServiceDiedError

        try:
            self.supervisor.wait_ready(running, lambda waited: progress.tick(text, waited), _READY_SECONDS)
        except TimeoutError as error:
            raise ServiceDiedError(f"{error} The end of {running.log}:\n{running.log_tail()}") from error


class _Progress:
    """Says what is waited for: a line that changes on a terminal, a line now and then in a log."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._said: dict[str, int] = {}

    def tick(self, text: str, waited: float) -> None:
        """Show that `text` has been going on for `waited` seconds."""
        if self._live:
            print(f"\r\033[K{text} ... {waited:.0f} s", end="", file=sys.stderr, flush=True)
            return
        step = int(waited // _LINE_EVERY_SECONDS)
        if self._said.get(text) != step:
            self._said[text] = step
            _say(f"{text} ... {waited:.0f} s" if step else f"{text} ...")

    def clear(self) -> None:
        """Remove the line that changes."""
        if self._live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


@contextmanager
def _progress() -> Generator[_Progress]:
    progress = _Progress()
    try:
        yield progress
    finally:
        progress.clear()


def _death(running: "Running") -> Exception:
    from platform_cli.errors import ServiceDiedError

    code = running.process.returncode
    how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
    return ServiceDiedError(
        f"{running.service.name} {how}. The end of {running.log}:\n{running.log_tail()}",
        hint="Everything else was stopped; takt up starts it again.",
    )


def _announce(settings: Settings, ports: "Ports", *, as_json: bool) -> None:
    where = {
        "pid": os.getpid(),
        "dagster": ports.dagster_url,
        "api": ports.api_url,
        "logs": str(settings.home / "logs"),
    }
    _where_file(settings.home).write_text(json.dumps(where), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(where))
    else:
        typer.echo(f"Dagster UI  {ports.dagster_url}\nAPI         {ports.api_url}\nLogs        {where['logs']}")
        typer.echo("Ctrl-C stops it.")
    sys.stdout.flush()


def _where_file(home: Path) -> Path:
    return home / "run" / "where.json"


def _read_where(home: Path) -> dict[str, str]:
    try:
        return json.loads(_where_file(home).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def _forget(home: Path) -> None:
    from platform_cli.leftovers import forget

    _where_file(home).unlink(missing_ok=True)
    forget(home)


def _say(text: str) -> None:
    typer.echo(text, err=True)
