"""`takt backfill`."""

from datetime import datetime
from typing import Annotated

import typer

from platform_cli.run_report import WholeDates
from platform_core.settings import Settings

app = typer.Typer()


@app.command()
def backfill(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First production date.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last production date, included.")],
    select: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this model, or Dagster's selection syntax (`*bi/mv_oee_daily`, `group:marts`); may be repeated."
        ),
    ] = None,
    _tenant: WholeDates = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make all tables anew for a range of production dates, as one run that the Dagster UI shows; 1 if a date fails."""
    from platform_assets.run import run_dates
    from platform_cli.run_report import progress_of, report

    with progress_of(f"Backfilling {first:%Y-%m-%d} to {last:%Y-%m-%d}") as progress:
        summary = run_dates(Settings(), first.date(), last.date(), select=select, progress=progress)
    report(summary, as_json=as_json)
