"""What `takt up` runs: Dagster's code server, webserver and daemon, and the API; and how to see that each works."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from platform_cli.errors import BrokenDefinitionsError
from platform_cli.supervisor import HOST, Service, answers, free_port

DAGSTER_PORT = 3000
API_PORT = 8000

_DAEMONS = "{ instance { daemonHealth { allDaemonStatuses { required healthy } } } }"
_LOCATIONS = """
{
  workspaceOrError {
    ... on Workspace {
      locationEntries {
        loadStatus
        locationOrLoadError { __typename ... on PythonError { message errorChain { error { message } } } }
      }
    }
  }
}
"""


@dataclass(frozen=True)
class Ports:
    """Ports on the loopback."""

    code: int
    dagster: int
    api: int

    @property
    def dagster_url(self) -> str:
        """Where the Dagster UI is."""
        return f"http://{HOST}:{self.dagster}"

    @property
    def api_url(self) -> str:
        """Where the API is."""
        return f"http://{HOST}:{self.api}"


def choose_ports(dagster: int | None = None, api: int | None = None) -> Ports:
    """The usual ports, or others where those are taken."""
    return Ports(
        free_port(),
        free_port(DAGSTER_PORT if dagster is None else dagster),
        free_port(API_PORT if api is None else api),
    )


def write_workspace(folder: Path, ports: Ports) -> Path:
    """The workspace.yaml that leads webserver and daemon to the one code server, so that both reload together."""
    path = folder / "up-workspace.yaml"
    server = {"host": HOST, "port": ports.code, "location_name": "takt"}
    path.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}), encoding="utf-8")
    return path


def code_server(ports: Ports) -> Service:
    """Holds the definitions and executes launched runs."""
    argv = [*_python("dagster"), "code-server", "start", "--host", HOST, "--port", str(ports.code)]
    argv += ["--module-name", "platform_assets.definitions", "--location-name", "takt", "--log-level", "warning"]
    return Service("dagster-code", argv, lambda: answers(ports.code))


def webserver(ports: Ports, workspace: Path) -> Service:
    """The UI and GraphQL."""
    argv = [*_python("dagster_webserver"), "--host", HOST, "--port", str(ports.dagster), "--workspace", str(workspace)]
    return Service("dagster-webserver", argv, lambda: _location_is_loaded(ports.dagster_url))


def daemon(ports: Ports, workspace: Path) -> Service:
    """Schedules, sensors, the run queue and backfills."""
    argv = [*_python("dagster._daemon"), "run", "--workspace", str(workspace)]
    return Service("dagster-daemon", argv, lambda: _daemons_are_healthy(ports.dagster_url))


def api(ports: Ports) -> Service:
    """The HTTP API."""
    argv = [*_python("uvicorn"), "--factory", "platform_api.main:create_app", "--host", HOST, "--port", str(ports.api)]
    return Service("api", [*argv, "--log-level", "warning"], lambda: _is_ok(f"{ports.api_url}/health"))


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]


def _is_ok(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.HTTPError:
        return False


def _graphql(url: str, query: str) -> dict[str, Any] | None:
    """The data of the answer; None while nobody answers. A query that is refused is an error of ours and raises."""
    try:
        answer = httpx.post(f"{url}/graphql", json={"query": query}, timeout=5)
    except httpx.TransportError:
        return None
    return answer.raise_for_status().json()["data"]


def _location_is_loaded(url: str) -> bool:
    found = _graphql(url, _LOCATIONS)
    entries: list[dict[str, Any]] = found["workspaceOrError"].get("locationEntries", []) if found else []
    if not entries or any(entry["loadStatus"] == "LOADING" for entry in entries):
        return False
    loaded: list[dict[str, Any] | None] = [entry["locationOrLoadError"] for entry in entries]
    for each in loaded:
        if each is not None and each["__typename"] == "PythonError":
            raise BrokenDefinitionsError(
                f"Dagster cannot load the definitions: {_innermost(each)}",
                hint="`dg check defs` in the repository, or dagster-code.log, shows all of it.",
            )
    return all(each is not None for each in loaded)


def _innermost(error: dict[str, Any]) -> str:
    """The first cause, which is what our code said."""
    chain: list[dict[str, Any]] = error.get("errorChain") or []
    message: str = (chain[-1]["error"] if chain else error)["message"]
    return message.strip().splitlines()[-1]


def _daemons_are_healthy(url: str) -> bool:
    found = _graphql(url, _DAEMONS)
    statuses: list[dict[str, Any]] = found["instance"]["daemonHealth"]["allDaemonStatuses"] if found else []
    return bool(statuses) and all(each["healthy"] for each in statuses if each["required"])
