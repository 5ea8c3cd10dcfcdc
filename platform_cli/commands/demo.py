"""`takt demo`."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from platform_core.settings import Settings

app = typer.Typer()


@app.command()
def demo(
    days: Annotated[int, typer.Option(min=1, max=365, help="Production dates up to the last one.")] = 30,
    lines: Annotated[int, typer.Option(min=1, max=99, help="Lines of each plant.")] = 3,
    seed: Annotated[int, typer.Option(help="The same seed makes the same factory.")] = 7,
    end_date: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last production date; the default is yesterday.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the reports as JSON.")] = False,
) -> None:
    """Two made-up plants: their files land, become facts and KPIs in one Dagster run, and yesterday is reported."""
    from platform_cli.demo import DemoPlan, run_demo
    from platform_cli.demo_report import print_reports

    plan = DemoPlan(days=days, lines=lines, seed=seed, end_date=end_date.date() if end_date else None)
    result = run_demo(Settings(), plan)
    if as_json:
        typer.echo(json.dumps([asdict(report) for report in result.reports], default=str))
    else:
        print_reports(result)
    if result.failures:
        raise typer.Exit(1)
