"""`takt generate`."""

import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from platform_cli.progress import Bar
from platform_core.clock import utc_now
from platform_core.factory.contracts import Factory
from platform_core.factory.plants import make_plants
from platform_core.factory.service import generate as generate_factory

app = typer.Typer()


@app.command()
def generate(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files; made when it is not there.")],
    days: Annotated[int, typer.Option(min=1, help="Production dates, up to the end date.")] = 30,
    lines: Annotated[int, typer.Option(min=1, help="Lines of each plant.")] = 3,
    tenants: Annotated[int, typer.Option(min=1, help="Plants; each in a time zone of its own.")] = 2,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
    end_date: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Last production date; default: yesterday in the first plant's zone."),
    ] = None,
    records: Annotated[int | None, typer.Option(help="Work orders in all, for large factories.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write the files of a made-up factory, manifest.json (their order of arrival) and truth.json."""
    zone = make_plants(1, 1)[0].zone
    last = end_date.date() if end_date else utc_now().astimezone(zone).date() - timedelta(days=1)
    with Bar("Writing files") as bar:
        factory = generate_factory(
            output,
            days=days,
            lines=lines,
            tenants=tenants,
            seed=seed,
            end_date=last,
            records=records,
            progress=None if as_json else bar.echo,
            steps=lambda done, of: bar.show(completed=done, total=of),
        )
    _report(factory, as_json)


def _report(factory: Factory, as_json: bool) -> None:
    outcomes: Counter[str] = Counter()
    for file in factory.files:
        outcomes.update(file.outcomes)
    period = factory.period
    slugs = [plant.slug for plant in factory.plants]
    report = {
        "output": str(factory.output),
        "tenants": slugs,
        "first_date": period.first.isoformat(),
        "last_date": period.last.isoformat(),
        "files": len(factory.files),
        "rows": sum(outcomes.values()),
        "expected_outcomes": dict(sorted(outcomes.items())),
    }
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False))
        return
    typer.echo(
        f"{len(factory.files)} files with {sum(outcomes.values())} rows of {', '.join(slugs)}, "
        f"{period.first} to {period.last}, in {factory.output}"
    )
    typer.echo("What must become of the rows: " + ", ".join(f"{n} {what}" for what, n in sorted(outcomes.items())))
