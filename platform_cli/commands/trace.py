"""`takt trace`."""

import json
from datetime import datetime
from typing import Annotated

import typer

from dbt_like_sql.project import load_project
from platform_core.settings import Settings
from platform_core.tenants.contracts import DEFAULT_SLUG
from platform_core.tenants.service import get_tenant
from platform_core.trace.render import lines, plain
from platform_core.trace.service import LIMIT, find_model
from platform_core.trace.service import trace as trace_rows
from platform_core.warehouse.connection import open_warehouse, transaction
from platform_core.warehouse.setup import require_tables

app = typer.Typer()


@app.command()
def trace(
    model: Annotated[str, typer.Argument(help="A model, for example bi.mv_oee_daily.")],
    date: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Production date; the same as --key date=...")
    ] = None,
    line: Annotated[str | None, typer.Option(help="Line; the same as --key line_code=...")] = None,
    key: Annotated[
        list[str] | None, typer.Option("--key", "-k", help="COLUMN=VALUE that the row has; may be repeated.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option("--column", "-c", help="Follow only this column; may be repeated.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="The tenant's slug.")] = DEFAULT_SLUG,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many of each list to show.")] = LIMIT,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Follow a number back to the raw records it came from, with the line of the file each was read from."""
    where = _conditions(date, line, key or [])
    project = load_project()
    find_model(project, model)  # a wrong name needs no server
    warehouse = open_warehouse(Settings())
    require_tables(warehouse)
    with transaction(warehouse, read_only=True) as conn:
        owner = get_tenant(conn, tenant)
    answer = trace_rows(warehouse, project, model, tenant=owner, where=where, columns=column or (), limit=limit)
    if as_json:
        typer.echo(json.dumps(plain(answer), ensure_ascii=False))
        return
    for text in lines(answer):
        typer.echo(text)


def _conditions(date: datetime | None, line: str | None, keys: list[str]) -> dict[str, str]:
    """Column and value of everything that was asked for; the same column twice is a mistake."""
    pairs = [("date", date.date().isoformat())] if date else []
    pairs += [("line_code", line)] if line is not None else []
    for key in keys:
        name, equals, value = key.partition("=")
        if not equals or not name.strip():
            raise typer.BadParameter(f"{key!r} is not COLUMN=VALUE.", param_hint="--key")
        pairs.append((name.strip(), value))
    where = dict(pairs)
    if len(where) < len(pairs):
        raise typer.BadParameter("a column is given twice.", param_hint="--key")
    return where
