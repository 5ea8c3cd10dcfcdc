"""`takt ingest`."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer

from platform_cli.progress import INTERRUPTED, Bar, LoadsShown, short
from platform_core.settings import Settings

if TYPE_CHECKING:
    from platform_core.ingest.reports import IngestReport, LoadedSource
    from platform_core.ingest.service import Ingest
    from platform_core.ingest.watching import Ended, Watcher

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
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="First production date to pull from the source."),
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="Last production date to pull, included."),
    ] = None,
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
    """Land records from files, folders, standard input or a configured source.

    Rows that cannot be used are kept as rejected and told; the exit code is 1 when a source fails or not one row of it
    can be used.
    """
    _check_usage(paths, source, watch, mapping, guess=guess, strict=strict)
    dates = _dates(first, last, source)
    if guess:
        from platform_cli.guessing import guess_file

        guess_file(Settings(), tenant, Path((paths or [""])[0]), as_json=as_json)
    elif watch is not None:
        _watch(tenant, watch, strict=strict, as_json=as_json)
    else:

        def work(arrangement: "Ingest") -> "IngestReport":
            from platform_core.ingest.service import ingest_files, ingest_source

            if source is not None:
                return ingest_source(arrangement, source, dates=dates)
            return ingest_files(arrangement, paths or [], mapping=mapping, stdin=sys.stdin.buffer)

        _land(tenant, work, strict=strict, as_json=as_json)


def _check_usage(
    paths: list[str] | None, source: str | None, watch: Path | None, mapping: str | None, *, guess: bool, strict: bool
) -> None:
    if sum([bool(paths), source is not None, watch is not None]) != 1:
        raise typer.BadParameter("name paths, or --source, or --watch: exactly one of the three.")
    if guess and (not paths or len(paths) != 1 or paths == ["-"]):
        raise typer.BadParameter("--guess takes exactly one file.")
    if guess and (mapping is not None or strict):
        raise typer.BadParameter("--guess lands nothing, so --mapping and --strict mean nothing with it.")
    if mapping is not None and source is not None:
        raise typer.BadParameter("--mapping means nothing with --source: the source's own file names its mapping.")
    if mapping is not None and watch is not None:
        raise typer.BadParameter(
            "--mapping means nothing with --watch: a file in a subfolder called like a mapping is read by it."
        )


def _dates(first: datetime | None, last: datetime | None, source: str | None) -> tuple[date, date] | None:
    if first is None and last is None:
        return None
    if source is None:
        raise typer.BadParameter("--from and --to go with --source: a file is read as a whole.")
    if first is None or last is None or first > last:
        raise typer.BadParameter("--from and --to go together, the first of the dates before the last.")
    return first.date(), last.date()


def _land(slug: str, work: "Callable[[Ingest], IngestReport]", *, strict: bool, as_json: bool) -> None:
    """Do the loads of one call, tell of each when it ends, and leave with the exit code that they deserve."""
    from platform_core.ingest import reports

    with Bar("Opening the warehouse") as bar:
        shown = LoadsShown(bar, _silent if as_json else partial(_tell, bar))
        arrangement = _arranged(slug, strict=strict, watcher=shown)
        try:
            report, interrupted = work(arrangement), False
        except KeyboardInterrupt:
            report, interrupted = reports.report_of(shown.ended), True
    if as_json:
        told = reports.as_json(report) | ({"interrupted": True} if interrupted else {})
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        _print_total(report)
    if interrupted:
        shown.tell_interruption(arrangement)
        raise typer.Exit(INTERRUPTED)
    if report.failed:
        raise typer.Exit(1)


def _silent(one: "Ended") -> None:
    del one


def _arranged(slug: str, *, strict: bool, watcher: "Watcher | None" = None) -> "Ingest":
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
    ingest = Ingest(warehouse, settings, load_project(), tenant, utc_now(), strict)
    return ingest if watcher is None else replace(ingest, watcher=watcher)


def _tell(bar: Bar, one: "Ended") -> None:
    """A source that has ended, as soon as it has."""
    from platform_core.ingest.reports import FailedSource, LoadedSource

    if isinstance(one, LoadedSource):
        bar.echo("\n".join(_load_lines(one)))
    elif isinstance(one, FailedSource):
        hint = f"\n  {one.hint}" if one.hint else ""
        bar.echo(f"{short(one.name)}: {one.code}: {one.message}{hint}", err=True)
    else:
        bar.echo(f"{short(one.name)}: skipped. {one.reason}")


def _print_total(report: "IngestReport") -> None:
    outcomes = report.outcomes
    if len(report.loads) != 1:
        said = ", ".join(f"{getattr(outcomes, name):,} {name}" for name in _OUTCOMES)
        typer.echo(f"Total: {len(report.loads)} loads, {outcomes.rows_read:,} rows: {said}.")
    if outcomes.rejected:
        typer.echo(
            f"Warning: {outcomes.rejected:,} of {outcomes.rows_read:,} rows could not be used and are kept: "
            "`takt rejects list` shows why and what to do."
        )
    if report.dates:
        first, last = min(report.dates), max(report.dates)
        span = f"{first} to {last}" if last > first else f"{first}"
        typer.echo(f"{len(report.dates)} dates to make anew ({span}): `takt refresh --dirty`.")


def _load_lines(load: "LoadedSource") -> list[str]:
    result = load.result
    said = ", ".join(f"{count:,} {name}" for name in _OUTCOMES if (count := getattr(result.outcomes, name)))
    reasons = ", ".join(f"{code} {count:,}" for code, count in result.rejected_by_code.items())
    left_out = f"; {load.left_out:,} left out by the mapping" if load.left_out else ""
    lines = [
        f"{short(load.name)} ({load.mapping}): {result.outcomes.rows_read:,} rows: {said or 'nothing to land'}"
        f"{f' ({reasons})' if reasons else ''}{left_out}."
    ]
    if first := result.request.first_arrived_at:
        lines.append(f"  Read before on {first:%Y-%m-%d %H:%M} UTC; nothing of it counts as newer.")
    lines += [f"  {note}" for note in load.notes]
    lines += [f"  {warning}" for warning in result.warnings[:_WARNINGS_SHOWN]]
    if len(result.warnings) > _WARNINGS_SHOWN:
        lines.append(f"  and {len(result.warnings) - _WARNINGS_SHOWN} more warnings, with the load in core.load.")
    return lines


def _watch(slug: str, folder: Path, *, strict: bool, as_json: bool) -> None:
    from platform_core.clock import utc_now
    from platform_core.ingest.inbox import Inbox, watch
    from platform_core.ingest.service import inbox_handler

    handle = inbox_handler(_arranged(slug, strict=strict), clock=utc_now)
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
