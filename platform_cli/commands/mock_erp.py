"""`takt mock-erp`."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from platform_core.clock import utc_now
from platform_core.factory.contracts import Period
from platform_core.factory.disturbances import make_history
from platform_core.factory.erp_sources import MARK, NATIVE, source_files
from platform_core.factory.mock_erp import MockErp, Trouble
from platform_core.factory.plants import make_plants
from platform_core.settings import Settings
from platform_core.tenants.service import tenant_home

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
    tenant: Annotated[
        str | None,
        typer.Option(help="Slug of a tenant that gets the first plant's sources in TAKT_HOME/tenants/SLUG/sources/."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Serve the data of `takt generate` as a REST ERP until Ctrl-C; print its URL and sources for `takt ingest`."""
    plants = make_plants(tenants, lines)
    last = end_date.date() if end_date else utc_now().astimezone(plants[0].zone).date() - timedelta(days=1)
    period = Period(last - timedelta(days=days - 1), last, orders_per_shift=4, seed=seed)
    histories = [make_history(plant, period) for plant in plants]
    with MockErp(histories, seed=seed, port=port, trouble=Trouble(share=trouble)) as erp:
        sources = {plant.slug: source_files(erp.url, plant.slug) for plant in plants}
        written = _write(tenant, sources[plants[0].slug]) if tenant is not None else None
        if as_json:
            typer.echo(json.dumps({"url": erp.url, "sources": sources}, ensure_ascii=False))
        else:
            _print(erp.url, sources, tenant, written)
        try:
            erp.wait()
        except KeyboardInterrupt:
            answers = ", ".join(f"{count} x {status}" for status, count in sorted(erp.requests.items()))
            typer.echo(f"Stopped. Answers given: {answers or 'none'}.", err=True)


def _write(tenant: str, files: Mapping[str, str]) -> Path:
    """The sources as files; those of an earlier mock ERP are replaced, others are not touched."""
    folder = tenant_home(Settings(), tenant) / "sources"
    folder.mkdir(parents=True, exist_ok=True)
    paths = {folder / f"{name}.yml": text for name, text in files.items()}
    for path in paths:
        if path.exists() and MARK not in " ".join(path.read_text(encoding="utf-8").split()):
            raise typer.BadParameter(f"{path} is not of a mock ERP; move it away.", param_hint="--tenant")
    for path, text in paths.items():
        path.write_text(text, encoding="utf-8")
    return folder


def _print(url: str, sources: dict[str, dict[str, str]], tenant: str | None, written: Path | None) -> None:
    typer.echo(f"The mock ERP answers at {url}; Ctrl-C stops it.")
    if written is not None:
        names = ", ".join(next(iter(sources.values())))
        typer.echo(f"Sources in {written}: {names}.\nFor example: takt ingest --source {NATIVE[0]} --tenant {tenant}")
        return
    typer.echo("Each part below is a file for TAKT_HOME/tenants/<tenant>/sources/:")
    for tenant, files in sources.items():
        for name, text in files.items():
            typer.echo(f"\n# tenants/{tenant}/sources/{name}.yml\n{text.rstrip()}")
