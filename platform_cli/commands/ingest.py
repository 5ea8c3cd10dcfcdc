"""`takt ingest`."""

import json
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer

from platform_core.settings import Settings

if TYPE_CHECKING:
    from platform_core.ingest.reports import IngestReport, LoadedSource
    from platform_core.ingest.service import Ingest, Progress

app = typer.Typer()

_OUTCOMES = ("landed", "corrected", "unchanged", "outdated", "late_sealed", "rejected")
_WARNINGS_SHOWN = 5


@app.command()
def ingest(
    paths: Annotated[
        list[str] | None, typer.Argument(help="Files, folders, patterns such as 'in/*.csv', or - for standard input.")
    ] = None,
    mapping: Annotated[
        str | None, typer.Option(help="Mapping to use; left out: the one that fits the headers.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Pull this configured source instead of reading files.")] = None,
    tenant: Annotated[str, typer.Option(help="Slug of the tenant.")] = "default",
    guess: Annotated[
        bool,
        typer.Option("--guess", help="Propose a mapping for the file and write it for you to correct; land nothing."),
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="A file with one bad row fails, and nothing of it lands.")
    ] = False,
    watch: Annotated[
        Path | None, typer.Option(help="Land every file dropped into this folder, until Ctrl-C.", file_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Land records from files, folders, standard input or a configured source; 1 if a source fails."""
    asked = [bool(paths), source is not None, watch is not None]
    if sum(asked) != 1:
        raise typer.BadParameter("name paths, or --source, or --watch: exactly one of the three.")
    if guess:
        if not paths or len(paths) != 1 or paths == ["-"]:
            raise typer.BadParameter("--guess takes exactly one file.")
        from platform_cli.guessing import guess_file

        guess_file(Settings(), tenant, Path(paths[0]), as_json=as_json)
        return
    if watch is not None:
        _watch(tenant, watch, strict=strict, as_json=as_json)
        return
    from platform_core.ingest.service import ingest_files, ingest_source

    with _progress() as progress:
        arrangement = _arranged(tenant, strict=strict, progress=progress)
        if source is not None:
            report = ingest_source(arrangement, source)
        else:
            report = ingest_files(arrangement, paths or [], mapping=mapping, stdin=sys.stdin.buffer)
    _print(report, as_json=as_json)
    if report.failed:
        raise typer.Exit(1)


def _arranged(slug: str, *, strict: bool, progress: "Progress | None") -> "Ingest":
    from dbt_like_sql.project import load_project
    from platform_core.clock import utc_now
    from platform_core.ingest.service import Ingest
    from platform_core.tenants.service import get_tenant
    from platform_core.warehouse.connection import transaction
    from platform_core.warehouse.setup import prepare

    settings = Settings()
    warehouse = prepare(settings)
    with transaction(warehouse, read_only=True) as conn:
        tenant = get_tenant(conn, slug)
    return Ingest(warehouse, settings, load_project(), tenant, utc_now(), strict, progress)


@contextmanager
def _progress() -> "Generator[Progress | None]":
    """A line that counts rows on a terminal; nothing in a log, where each load prints its own line."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[rows]}"),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Opening the warehouse", rows="", total=None)

        def tell(name: str, rows: int) -> None:
            bar.update(task, description=_short(name), rows=f"{rows:,} rows")

        yield tell


def _print(report: "IngestReport", *, as_json: bool) -> None:
    from platform_core.ingest import reports

    if as_json:
        typer.echo(json.dumps(reports.as_json(report), ensure_ascii=False))
        return
    for load in report.loads:
        _print_load(load)
    for skipped in report.skipped:
        typer.echo(f"{_short(skipped.name)}: skipped. {skipped.reason}")
    for failed in report.failed:
        typer.echo(f"{_short(failed.name)}: {failed.code}: {failed.message}", err=True)
        if failed.hint:
            typer.echo(f"  {failed.hint}", err=True)
    if len(report.loads) != 1:
        outcomes = report.outcomes
        said = ", ".join(f"{getattr(outcomes, name):,} {name}" for name in _OUTCOMES)
        typer.echo(f"Total: {len(report.loads)} loads, {outcomes.rows_read:,} rows: {said}.")
    if report.outcomes.rejected:
        typer.echo("`takt rejects list` shows the rejected rows and what to do.")
    if report.dates:
        first, last = min(report.dates), max(report.dates)
        span = f"{first} to {last}" if last > first else f"{first}"
        typer.echo(f"{len(report.dates)} dates to make anew ({span}): `takt refresh --dirty`.")


def _print_load(load: "LoadedSource") -> None:
    result = load.result
    said = ", ".join(f"{count:,} {name}" for name in _OUTCOMES if (count := getattr(result.outcomes, name)))
    reasons = ", ".join(f"{code} {count:,}" for code, count in result.rejected_by_code.items())
    left_out = f"; {load.left_out:,} left out by the mapping" if load.left_out else ""
    typer.echo(
        f"{_short(load.name)} ({load.mapping}): {result.outcomes.rows_read:,} rows: {said or 'nothing to land'}"
        f"{f' ({reasons})' if reasons else ''}{left_out}."
    )
    for warning in result.warnings[:_WARNINGS_SHOWN]:
        typer.echo(f"  {warning}")
    if len(result.warnings) > _WARNINGS_SHOWN:
        typer.echo(f"  and {len(result.warnings) - _WARNINGS_SHOWN} more warnings, with the load in core.load.")


def _short(name: str) -> str:
    """The last two parts of a path: the folder tells what system it is from."""
    return "/".join(name.split("/")[-2:])


def _watch(slug: str, folder: Path, *, strict: bool, as_json: bool) -> None:
    from platform_core.clock import utc_now
    from platform_core.ingest.inbox import Inbox, watch
    from platform_core.ingest.service import inbox_handler

    handle = inbox_handler(_arranged(slug, strict=strict, progress=None), clock=utc_now)
    typer.echo(f"Watching {folder}; Ctrl-C ends it.", err=True)
    stop = Event()
    try:
        with Inbox(folder) as inbox:
            for result in watch(inbox, handle, stop=stop):
                if as_json:
                    typer.echo(json.dumps(result.report, ensure_ascii=False, default=str))
                else:
                    typer.echo(f"{result.original.name} -> {result.moved_to.parent.name}: {_told(result.report)}")
    except KeyboardInterrupt:
        stop.set()


def _told(report: Mapping[str, Any]) -> str:
    """An inbox file's report in one line."""
    total: Mapping[str, int] = report.get("total") or {}
    said = ", ".join(f"{total[name]:,} {name}" for name in _OUTCOMES if total.get(name))
    return said or str(report.get("message", "no rows"))
