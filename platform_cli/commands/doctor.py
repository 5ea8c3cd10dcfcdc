"""`takt doctor`."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from platform_core.settings import SettingInvalidError, Settings

if TYPE_CHECKING:
    from platform_core.warehouse.diagnosis import Finding

app = typer.Typer()

_SIGNS = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "broken": ("BROKEN", "red")}


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Explain what is wrong with an installation and what to do; exit code 1 when something is broken."""
    from platform_core.clock import utc_now
    from platform_core.warehouse.diagnosis import State, diagnose, diagnose_settings

    findings: list[Finding] = []
    try:
        settings = Settings()
        found = chain(_processes(settings.home), diagnose(settings, utc_now))
    except SettingInvalidError as error:
        found = diagnose_settings(error)
    for finding in found:
        findings.append(finding)
        if not as_json:
            _print(finding)
    broken = sum(finding.state is State.BROKEN for finding in findings)
    if as_json:
        typer.echo(json.dumps({"healthy": broken == 0, "findings": list(map(asdict, findings))}, ensure_ascii=False))
    else:
        typer.echo(f"{broken} broken." if broken else "Nothing is broken.")
    raise typer.Exit(1 if broken else 0)


def _processes(home: Path) -> Iterator["Finding"]:
    """What `takt up` runs, and who has the ports that it would like."""
    from platform_cli.leftovers import alive
    from platform_cli.services import API_PORT, DAGSTER_PORT
    from platform_core.warehouse.diagnosis import Finding, State
    from platform_core.warehouse.embedded.processes import port_is_free

    running = alive(home)
    if "takt up" in running:
        yield Finding("up", State.OK, "`takt up` runs.")
        return
    if running:
        message = f"`takt up` was killed and has left {', '.join(running)}."
        yield Finding("up", State.WARNING, message, "`takt down` stops them.")
        return
    for port in (DAGSTER_PORT, API_PORT):
        if not port_is_free(port):
            message = f"Port {port} is taken by another program; `takt up` will pick another one."
            yield Finding("ports", State.OK, message)


def _print(finding: "Finding") -> None:
    word, color = _SIGNS[finding.state]
    typer.echo(f"{typer.style(f'{word:8}', fg=color)} {finding.check:9} {finding.message}")
    if finding.hint:
        typer.echo(f"{'':18} -> {finding.hint}")
