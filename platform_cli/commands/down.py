"""`takt down`."""

import json
from typing import Annotated

import typer

from platform_core.settings import Settings

app = typer.Typer()


@app.command()
def down(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Stop the embedded PostgreSQL and whatever `takt up` left running; what is stored stays."""
    from platform_cli.leftovers import stop_leftovers
    from platform_core.warehouse import embedded
    from platform_core.warehouse.connection import external_warehouse, place

    settings = Settings()
    stopped = stop_leftovers(settings.home)
    if embedded.stop(settings):
        stopped = (*stopped, "postgres")
    if as_json:
        typer.echo(json.dumps({"stopped": stopped}))
        return
    typer.echo(f"Stopped {', '.join(stopped)}." if stopped else "Nothing was running.")
    if (external := external_warehouse(settings)) is not None:
        typer.echo(f"PostgreSQL at {place(external.owner_url)} is not Takt's to stop.")
