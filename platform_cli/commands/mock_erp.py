"""`takt mock-erp`."""

import json
from datetime import datetime, timedelta
from typing import Annotated

import typer

from platform_core.clock import utc_now
from platform_core.factory.contracts import Period
from platform_core.factory.disturbances import make_history
from platform_core.factory.erp_sources import source_files
from platform_core.factory.mock_erp import MockErp, Trouble
from platform_core.factory.plants import make_plants

app = typer.Typer()


@app.command()
def mock_erp(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on loopback; 0 takes a free one.")] = 0,
    days: Annotated[int, typer.Option(min=1, max=1000, help="Production dates, up to the end date.")] = 30,
    lines: Annotated[int, typer.Option(min=1, max=99, help="Lines of each plant.")] = 3,
    tenants: Annotated[int, typer.Option(min=1, max=50, help="Plants.")] = 2,
    seed: Annotated[int, typer.Option(help="The same seed gives the same data and the same trouble.")] = 1,
    end_date: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Last production date; default: yesterday in the first plant's zone."),
    ] = None,
    trouble: Annotated[
        float, typer.Option(min=0, max=1, help="Share of addresses that first answer 429, 500 or slowly.")
    ] = 0.2,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Serve the data of `takt generate` as a REST ERP until Ctrl-C; print its URL and sources for `takt ingest`."""
    plants = make_plants(tenants, lines)
    last = end_date.date() if end_date else utc_now().astimezone(plants[0].zone).date() - timedelta(days=1)
    period = Period(last - timedelta(days=days - 1), last, orders_per_shift=4, seed=seed)
    histories = [make_history(plant, period) for plant in plants]
    with MockErp(histories, seed=seed, port=port, trouble=Trouble(share=trouble)) as erp:
        sources = {plant.slug: source_files(erp.url, plant.slug) for plant in plants}
        if as_json:
            typer.echo(json.dumps({"url": erp.url, "sources": sources}, ensure_ascii=False))
        else:
            _print(erp.url, sources)
        try:
            erp.wait()
        except KeyboardInterrupt:
            answers = ", ".join(f"{count} x {status}" for status, count in sorted(erp.requests.items()))
            typer.echo(f"Stopped. Answers given: {answers or 'none'}.", err=True)


def _print(url: str, sources: dict[str, dict[str, str]]) -> None:
    typer.echo(f"The mock ERP answers at {url}; Ctrl-C stops it.")
    typer.echo("Each part below is a file for TAKT_HOME/tenants/<tenant>/sources/:")
    for tenant, files in sources.items():
        for name, text in files.items():
            typer.echo(f"\n# tenants/{tenant}/sources/{name}.yml\n{text.rstrip()}")
