"""`takt dsn`."""

import json
from typing import Annotated
from urllib.parse import unquote, urlsplit

import typer

from platform_core.settings import Settings
from platform_core.warehouse.connection import Role, open_warehouse

app = typer.Typer()


@app.command()
def dsn(
    role: Annotated[
        Role, typer.Option(help="owner: owns the tables. api: bound by row security, sees nothing without a tenant.")
    ] = Role.OWNER,
    as_json: Annotated[bool, typer.Option("--json", help="Print the URL and its parts as JSON.")] = False,
) -> None:
    """Print the connection string of a role; starts the embedded server when it is not running."""
    url = open_warehouse(Settings()).url(role)
    if not as_json:
        typer.echo(url)
        return
    parts = urlsplit(url)
    login = {"user": unquote(parts.username or ""), "password": unquote(parts.password or "")}
    place = {"host": parts.hostname, "port": parts.port or 5432, "database": parts.path.removeprefix("/")}
    jdbc = f"jdbc:postgresql://{parts.hostname}:{parts.port or 5432}{parts.path}"
    typer.echo(json.dumps({"url": url, "jdbc_url": jdbc, **login, **place}))
