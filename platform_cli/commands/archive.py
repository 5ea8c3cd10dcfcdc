"""`takt archive`."""

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from platform_core.settings import Settings

if TYPE_CHECKING:
    from platform_core.warehouse.archive import Archive
    from platform_core.warehouse.connection import Warehouse

app = typer.Typer(no_args_is_help=True, help="Move the raw and staging rows of old months to files; facts stay.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def seal(
    before: Annotated[
        datetime, typer.Option(formats=["%Y-%m"], help="Seal every month before this one (2026-04).", metavar="YYYY-MM")
    ],
    as_json: AsJson = False,
) -> None:
    """Move the rows of months to files in TAKT_HOME/archive; 1 if a month has dates that are still to be made.

    Facts, marts and rejected rows stay. A date of a sealed month is not made anew until its month is attached.
    """
    from dbt_like_sql.project import load_project
    from platform_core.clock import utc_now
    from platform_core.warehouse.archive import seal_before

    ended = (utc_now() - timedelta(days=1)).date().replace(day=1)  # where the day begins last, too
    if before.date() > ended:
        raise typer.BadParameter(f"{ended:%Y-%m} has not ended; at most --before {ended:%Y-%m}.", param_hint="--before")
    settings = Settings()
    done = seal_before(_opened(settings), settings, load_project(), before.date())
    if as_json:
        sealed = [{"month": f"{month:%Y-%m}", "file": str(path)} for month, path in done.sealed.items()]
        held_back = [{"month": f"{month:%Y-%m}", "open_dates": dates} for month, dates in done.held_back.items()]
        typer.echo(json.dumps({"sealed": sealed, "held_back": held_back}, ensure_ascii=False))
    else:
        for month, path in done.sealed.items():
            typer.echo(f"{month:%Y-%m} is sealed: {path}")
        for month, dates in done.held_back.items():
            said = f"{dates} of its dates failed or wait to be made anew: `takt status`, `takt refresh --dirty`."
            typer.echo(f"{month:%Y-%m} is held back, as {said}", err=True)
        if not done.sealed and not done.held_back:
            typer.echo(f"Nothing before {before:%Y-%m} is left to seal.")
    if done.held_back:
        raise typer.Exit(1)


@app.command()
def attach(
    month: Annotated[datetime, typer.Argument(formats=["%Y-%m"], help="A sealed month (2026-03).", metavar="YYYY-MM")],
    as_json: AsJson = False,
) -> None:
    """Bring the rows of a sealed month back, and mark the dates on which records came meanwhile."""
    from dbt_like_sql.project import load_project
    from platform_core.warehouse.archive import unseal

    late = unseal(_opened(Settings()), load_project(), month.date())
    if as_json:
        typer.echo(json.dumps({"month": f"{month:%Y-%m}", "late_dates": [str(day) for day in late]}))
        return
    typer.echo(f"{month:%Y-%m} is attached; its file stays.")
    if late:
        days = ", ".join(map(str, late))
        typer.echo(f"Records came meanwhile for {days}: `takt refresh --dirty` makes those dates anew.")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the files that sealing has made, and whether each is there."""
    from platform_core.warehouse.archive import list_archives

    found = list_archives(_opened(Settings()))
    if as_json:
        typer.echo(json.dumps({"archives": [_as_dict(archive) for archive in found]}, ensure_ascii=False))
        return
    for archive in found:
        size = _size(archive)
        state = "sealed" if archive.sealed else "attached"
        there = "FILE MISSING" if size is None else f"{size:,} bytes"
        typer.echo(f"{archive.first:%Y-%m}  {state:<8}  {there:>18}  {archive.file}")
    if not found:
        typer.echo("No month has been sealed.")


def _opened(settings: Settings) -> "Warehouse":
    from platform_core.warehouse.connection import open_warehouse
    from platform_core.warehouse.setup import require_tables

    warehouse = open_warehouse(settings)
    require_tables(warehouse)
    return warehouse


def _as_dict(archive: "Archive") -> dict[str, str | bool | int | None]:
    known = {"first_date": str(archive.first), "last_date": str(archive.last), "file": str(archive.file)}
    return known | {"sealed": archive.sealed, "bytes": _size(archive)}


def _size(archive: "Archive") -> int | None:
    return archive.file.stat().st_size if archive.file.is_file() else None
