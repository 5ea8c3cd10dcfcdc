"""`takt query`."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from dbt_like_sql.semantics.loading import packaged_semantics
from dbt_like_sql.semantics.model import SemanticModel
from platform_cli.query_report import as_json, explained, lines, write
from platform_core.bi.asking import GRAINS, build, comparison_of, filter_of, relative_of, split_by
from platform_core.bi.catalogue import dimensions, metrics
from platform_core.bi.contracts import ROW_CAP, Request
from platform_core.bi.errors import RequestInvalidError
from platform_core.bi.own import semantics_for
from platform_core.bi.service import Asker, answer, explain
from platform_core.clock import utc_now
from platform_core.settings import Settings
from platform_core.tenants.contracts import DEFAULT_SLUG
from platform_core.tenants.service import get_tenant
from platform_core.warehouse.connection import Warehouse, open_warehouse, transaction
from platform_core.warehouse.setup import require_tables

app = typer.Typer()


@app.command()
def query(
    metric: Annotated[
        list[str] | None, typer.Argument(help="Metrics, for example oee,total_qty; none lists what there is.")
    ] = None,
    by: Annotated[
        str, typer.Option(help="Dimensions and a grain of time, for example line,week.", show_default=False)
    ] = "",
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First date.")] = None,
    to: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last date.")] = None,
    last: Annotated[
        str | None, typer.Option(help="Instead: 30d, 4w, 3m, yesterday, this_month, mtd, ytd and so on.")
    ] = None,
    compare: Annotated[str | None, typer.Option(help="previous, year or week.")] = None,
    filters: Annotated[
        list[str] | None, typer.Option("--filter", "-f", help="line=L01, line!=L02,L03 or oee<0.6; may be repeated.")
    ] = None,
    order: Annotated[str, typer.Option(help="Columns, with - for descending: -oee,line.", show_default=False)] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many rows.")] = None,
    totals: Annotated[bool, typer.Option("--totals", help="A row for all together.")] = False,
    fill: Annotated[bool, typer.Option("--fill", help="A row for each day, week or month, also without data.")] = False,
    trusted: Annotated[bool, typer.Option("--trusted", help="No answer rather than a doubtful one.")] = False,
    explain_only: Annotated[bool, typer.Option("--explain", help="Show models, reasons and SQL; run nothing.")] = False,
    to_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write all rows to a .csv or .xlsx.")] = None,
    lang: Annotated[str, typer.Option(help="Language of the labels: en or ko.")] = "en",
    tenant: Annotated[str, typer.Option(help="The tenant's slug.")] = DEFAULT_SLUG,
) -> None:
    """Ask for numbers by name: OEE by line and week, against the week before."""
    names = _split(",".join(metric or []))
    if lang not in ("en", "ko"):
        raise typer.BadParameter("en or ko.", param_hint="--lang")
    if not names:
        _list(packaged_semantics(), lang)
        return
    grouped, grain = split_by(_split(by))
    fields = {
        "metrics": names,
        "dimensions": grouped,
        "grain": grain,
        "compare": comparison_of(compare) if compare else None,
        "order": _split(order),
        "limit": limit,
        "totals": totals,
        "fill": fill,
        "require_trusted": trusted,
        **_time(first, to, last),
    }
    warehouse = open_warehouse(Settings())
    require_tables(warehouse)
    with transaction(warehouse, read_only=True) as conn:
        asker = Asker(get_tenant(conn, tenant), language=lang)
    model = semantics_for(warehouse, packaged_semantics(), asker.tenant).model
    request = build({**fields, "filters": [filter_of(model, text) for text in filters or []]})
    _answer(warehouse, model, request, asker, explain_only=explain_only, to_json=to_json, output=output)


def _answer(
    warehouse: Warehouse,
    model: SemanticModel,
    request: Request,
    asker: Asker,
    *,
    explain_only: bool,
    to_json: bool,
    output: Path | None,
) -> None:
    now = utc_now()
    if explain_only:
        for text in explained(explain(warehouse, model, request, asker=asker, now=now)):
            typer.echo(text)
        return
    cap = None if output is not None else ROW_CAP
    found = answer(warehouse, model, request, asker=asker, now=now, cap=cap)
    if output is not None:
        write(found, output)
        typer.echo(f"{len(found.rows):,} rows written to {output}.")
    elif to_json:
        typer.echo(json.dumps(as_json(found), ensure_ascii=False))
    else:
        for text in lines(found, asker.language):
            typer.echo(text)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _time(first: datetime | None, to: datetime | None, last: str | None) -> dict[str, Any]:
    if last is not None and (first is not None or to is not None):
        raise RequestInvalidError("Dates come by --last or by --from and --to, not by both.")
    if last is not None:
        return {"time": {"relative": relative_of(last)}}
    if first is None and to is None:
        return {}
    if first is None or to is None:
        raise RequestInvalidError("--from and --to belong together.")
    return {"time": {"first": first.date(), "last": to.date()}}


def _list(model: SemanticModel, language: str) -> None:
    typer.echo("Metrics:")
    for entry in metrics(model, language):
        typer.echo(f"  {entry.name:<24}{entry.label} ({entry.unit}): {entry.formula}")
    typer.echo("Dimensions:")
    for each in dimensions(model, language):
        typer.echo(f"  {each.name:<24}{each.label}")
    typer.echo(f"Grains of time: {', '.join(GRAINS)}")
