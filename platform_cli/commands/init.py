"""`takt init`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from platform_core.settings import Settings
from platform_core.tenants.contracts import DEFAULT_TIMEZONE

if TYPE_CHECKING:
    from platform_core.ingest.rezone import Rezoned
    from platform_core.warehouse.connection import Warehouse

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
    timezone: Annotated[
        str | None,
        typer.Option(
            help=f"IANA time zone of those tenants' plants; {DEFAULT_TIMEZONE} for new ones. One that exists moves to"
            " that zone, and its records to the production dates that it gives them.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make roles, databases, tables and the first tenant; what exists is left as it is."""
    if timezone is not None and not tenant:
        raise typer.BadParameter("name the tenants with --tenant.", param_hint="--timezone")
    from platform_core.tenants.service import list_tenants
    from platform_core.warehouse import embedded
    from platform_core.warehouse.connection import external_warehouse, place, transaction
    from platform_core.warehouse.migrate import current
    from platform_core.warehouse.roles import Preparation, prepare_external
    from platform_core.warehouse.setup import prepare

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
    rezoned = _make_tenants(warehouse, settings, tenant or (), timezone)
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
            "rezoned": [asdict(each) for each in rezoned],
            "tenants": [{"slug": each.slug, "timezone": each.timezone} for each in tenants],
        }
        typer.echo(json.dumps(report, ensure_ascii=False, default=str))
        return
    typer.echo(f"Warehouse: {server} ({kind} PostgreSQL), tables at revision {revision}.")
    if made.roles or made.databases:
        typer.echo(f"Made {', '.join((*made.roles, *made.databases))}.")
    for each in tenants:
        typer.echo(f"Tenant {each.slug}, {each.timezone}.")
    for change in rezoned:
        _print_change(change)
    if kind == "existing" and (left := embedded.remembered(settings)) is not None:
        typer.echo(f"The embedded server's data stay in {left.state.folder} and are not used from now on.")
    typer.echo(f"State is in {settings.home}.")


def _print_change(change: "Rezoned") -> None:
    typer.echo(f"{change.tenant}: {change.before} -> {change.after}, {change.records:,} records have another date.")
    if change.dates:
        span = f"{change.dates[0]} to {change.dates[-1]}"
        typer.echo(f"  {len(change.dates)} dates to make anew ({span}): `takt refresh --dirty`.")


def _make_tenants(
    warehouse: "Warehouse", settings: Settings, slugs: Sequence[str], timezone: str | None
) -> "list[Rezoned]":
    """Make those that there are not; the others get the zone, if one was named."""
    if not slugs:
        return []
    from dbt_like_sql.project import load_project
    from platform_core.clock import utc_now
    from platform_core.ingest.rezone import change_timezone
    from platform_core.warehouse.setup import add_tenant

    project = load_project()
    rezoned: list[Rezoned] = []
    for slug in slugs:
        add_tenant(warehouse, settings, project, slug, timezone=timezone or DEFAULT_TIMEZONE)
        if timezone is not None:
            change = change_timezone(warehouse, settings, project, slug, timezone, now=utc_now())
            rezoned += [change] if change else []
    return rezoned
