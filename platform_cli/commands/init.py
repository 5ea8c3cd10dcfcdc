"""`takt init`."""

import json
from typing import Annotated

import typer

from platform_core.settings import Settings
from platform_core.tenants.contracts import DEFAULT_TIMEZONE

app = typer.Typer()


@app.command()
def init(
    admin_url: Annotated[
        str | None,
        typer.Option(
            envvar="TAKT_ADMIN_URL",
            help="postgresql://USER:PASSWORD@HOST:PORT/postgres of a role with CREATEROLE and CREATEDB on an existing"
            " PostgreSQL 16-18. Makes the roles takt_owner and takt_api and the databases takt and dagster there, and"
            " remembers them in TAKT_HOME. Left out: the server that is configured, else the embedded one.",
            show_default=False,
        ),
    ] = None,
    tenant: Annotated[list[str] | None, typer.Option(help="Slug of a further tenant to make; repeatable.")] = None,
    timezone: Annotated[str, typer.Option(help="IANA time zone of the further tenants' plants.")] = DEFAULT_TIMEZONE,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make roles, databases, tables and the first tenant; what exists is left as it is."""
    from dbt_like_sql.project import load_project
    from platform_core.tenants.service import list_tenants
    from platform_core.warehouse.connection import external_warehouse, place, transaction
    from platform_core.warehouse.migrate import current
    from platform_core.warehouse.roles import Preparation, prepare_external
    from platform_core.warehouse.setup import add_tenant, prepare

    settings = Settings()
    made = Preparation((), ())
    if admin_url is not None:
        made = prepare_external(
            settings.home,
            admin_url,
            owner_url=str(settings.database_url) if settings.database_url else None,
            api_url=str(settings.api_database_url) if settings.api_database_url else None,
        )
    warehouse = prepare(settings)
    for slug in tenant or ():
        add_tenant(warehouse, settings, load_project(), slug, timezone=timezone)
    with transaction(warehouse) as connection:
        tenants = list_tenants(connection)
    server = place(warehouse.owner_url)
    kind = "embedded" if external_warehouse(settings) is None else "existing"
    revision = current(warehouse)
    if as_json:
        report = {
            "home": str(settings.home),
            "server": server,
            "kind": kind,
            "roles_made": made.roles,
            "databases_made": made.databases,
            "revision": revision,
            "tenants": [{"slug": each.slug, "timezone": each.timezone} for each in tenants],
        }
        typer.echo(json.dumps(report, ensure_ascii=False))
        return
    typer.echo(f"Warehouse: {server} ({kind} PostgreSQL), tables at revision {revision}.")
    if made.roles or made.databases:
        typer.echo(f"Made {', '.join((*made.roles, *made.databases))}.")
    for each in tenants:
        typer.echo(f"Tenant {each.slug}, {each.timezone}.")
    typer.echo(f"State is in {settings.home}.")
