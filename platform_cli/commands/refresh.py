"""`takt refresh`."""

from datetime import date
from typing import Annotated

import typer

from platform_cli.run_report import WholeDates
from platform_core.settings import Settings

app = typer.Typer()


@app.command()
def refresh(
    what: Annotated[str, typer.Argument(help="`today`, or a production date.")] = "today",
    day: Annotated[str | None, typer.Option("--date", help="A production date (2026-01-31).")] = None,
    dirty: Annotated[bool, typer.Option("--dirty", help="Exactly the dates that something has changed.")] = False,
    _tenant: WholeDates = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make today, one date, or every dirty date anew; 1 if a date fails."""
    from platform_assets.run import run_dates, run_dirty
    from platform_cli.run_report import progress_of, report

    settings = Settings()
    if dirty and (day or what != "today"):
        raise typer.BadParameter("--dirty makes what has changed, whatever its dates: leave the date out.")
    if dirty:
        with progress_of("Refreshing what is dirty") as progress:
            summary = run_dirty(settings, progress=progress)
    else:
        asked = _date(day or what)
        with progress_of(f"Refreshing {asked or 'today'}") as progress:
            summary = run_dates(settings, asked, asked, progress=progress)
    report(summary, as_json=as_json)


def _date(text: str) -> date | None:
    """The production date; None for today."""
    if text == "today":
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither `today` nor a date such as 2026-01-31.") from None
