"""`takt rejects`."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from platform_cli.progress import INTERRUPTED, Bar, LoadsShown, short
from platform_core.settings import Settings

if TYPE_CHECKING:
    from platform_core.ingest.rejects import Choice, Reject
    from platform_core.ingest.reports import IngestReport
    from platform_core.ingest.watching import Ended
    from platform_core.tenants.contracts import Tenant
    from platform_core.warehouse.connection import Warehouse

app = typer.Typer(help="List, show, retry and dismiss the rows that could not be used.", no_args_is_help=True)

_Ids = Annotated[list[str] | None, typer.Argument(help="Ids, or the beginnings of ids.")]
_Tenant = Annotated[str, typer.Option(help="Slug of the tenant.")]
_Load = Annotated[UUID | None, typer.Option(help="Only those of this load.")]
_Code = Annotated[str | None, typer.Option("--reason", help="Only those with this reason, such as NEGATIVE.")]
_Type = Annotated[str | None, typer.Option("--record-type", help="Only those of this record type.")]
_All = Annotated[bool, typer.Option("--all", help="All that are open.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(
    tenant: _Tenant = "default",
    load: _Load = None,
    reason: _Code = None,
    record_type: _Type = None,
    status: Annotated[str, typer.Option(help="open, retried, dismissed, superseded or all.")] = "open",
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 50,
    as_json: _Json = False,
) -> None:
    """List rows that could not be used, the newest first."""
    from platform_core.ingest.rejects import Choice, list_rejects
    from platform_core.warehouse.connection import transaction

    if status not in ("open", "retried", "dismissed", "superseded", "all"):
        raise typer.BadParameter("--status is open, retried, dismissed, superseded or all.")
    choice = Choice(None, load, reason, record_type, None if status == "all" else status)
    with _opened(tenant) as (warehouse, owner), transaction(warehouse, read_only=True) as conn:
        found = list_rejects(conn, owner.id, choice, limit=limit)
    if as_json:
        known = {"by_reason": dict(found.by_code), "rejects": [_as_json(one) for one in found.rejects]}
        typer.echo(json.dumps(known, ensure_ascii=False))
        return
    for one in found.rejects:
        typer.echo(f"{str(one.id)[:8]}  {one.reason_code:<17} {_place(one)}: {one.message}")
    total = sum(found.by_code.values())
    if total > len(found.rejects):
        typer.echo(f"... and {total - len(found.rejects):,} more (--limit).")
    said = ", ".join(f"{code} {count:,}" for code, count in found.by_code.items())
    typer.echo(f"{total:,} rejected rows{f': {said}' if said else ''}.")
    if found.rejects:
        typer.echo("`takt rejects show ID` shows the text and what to do, `takt rejects retry` tries again.")


@app.command()
def show(
    id_: Annotated[str, typer.Argument(metavar="ID", help="An id, or its beginning.")],
    tenant: _Tenant = "default",
    as_json: _Json = False,
) -> None:
    """Show one row: file, line, field, value, the original text and what to do."""
    from platform_core.ingest.rejects import advice, show_reject
    from platform_core.warehouse.connection import transaction

    with _opened(tenant) as (warehouse, owner), transaction(warehouse, read_only=True) as conn:
        one = show_reject(conn, owner.id, id_)
    if as_json:
        typer.echo(json.dumps(_as_json(one) | {"advice": advice(one.reason_code)}, ensure_ascii=False))
        return
    lines = {
        "Id": f"{one.id} ({one.status})",
        "Source": _place(one, short=False),
        "Mapping": f"{one.mapping_name} ({one.record_type}, system {one.source_system})",
        "Reason": f"{one.reason_code}: {one.message}",
        "Field": None if one.field is None else f"{one.field} = {one.value!r}",
        "Columns": None if one.columns is None else ", ".join(one.columns),
        "Original": one.original.rstrip("\r\n"),
        "What to do": advice(one.reason_code),
        "Then": f"takt rejects retry {str(one.id)[:8]}  (with --text for a mended text, --mapping for another mapping)",
    }
    for name, value in lines.items():
        if value is not None and (name != "Then" or one.status == "open"):
            typer.echo(f"{name + ':':<12}{value}")


@app.command()
def retry(
    ids: _Ids = None,
    every: _All = False,
    tenant: _Tenant = "default",
    load: _Load = None,
    reason: _Code = None,
    record_type: _Type = None,
    mapping: Annotated[str | None, typer.Option(help="Another mapping than the one that rejected them.")] = None,
    text: Annotated[str | None, typer.Option(help="Mended text of the one row named.")] = None,
    as_json: _Json = False,
) -> None:
    """Read rejected rows through their mapping once more and land what is sound now; 1 if a source fails."""
    from dbt_like_sql.project import load_project
    from platform_core.clock import utc_now
    from platform_core.ingest import reports
    from platform_core.ingest.rejects import retry_rejects
    from platform_core.ingest.service import Ingest

    choice = _choice(ids, every, load, reason, record_type)
    with _opened(tenant) as (warehouse, owner), Bar("Trying again") as bar:
        shown = LoadsShown(bar, _silent if as_json else partial(_tell, bar))
        ingest = Ingest(warehouse, Settings(), load_project(), owner, utc_now(), watcher=shown)
        try:
            report, interrupted = retry_rejects(ingest, choice, mapping=mapping, text=text), False
        except KeyboardInterrupt:
            report, interrupted = reports.report_of(shown.ended), True
    if as_json:
        told = reports.as_json(report) | ({"interrupted": True} if interrupted else {})
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        _print_retried(report)
    if interrupted:
        shown.tell_interruption(ingest)
        raise typer.Exit(INTERRUPTED)
    if report.failed:
        raise typer.Exit(1)


def _silent(one: "Ended") -> None:
    del one


def _tell(bar: Bar, one: "Ended") -> None:
    """The rejects of one load, as soon as they have been tried again."""
    from platform_core.ingest.reports import FailedSource, LoadedSource

    if isinstance(one, LoadedSource):
        outcomes = one.result.outcomes
        stored = outcomes.rows_read - outcomes.rejected
        bar.echo(f"{short(one.name)} ({one.mapping}): {stored:,} stored, {outcomes.rejected:,} stay open.")
    elif isinstance(one, FailedSource):
        bar.echo(f"{one.name}: {one.code}: {one.message}", err=True)


def _print_retried(report: "IngestReport") -> None:
    outcomes = report.outcomes
    typer.echo(
        f"{outcomes.rows_read:,} rows tried again: {outcomes.rows_read - outcomes.rejected:,} are stored now, "
        f"{outcomes.rejected:,} stay open."
    )
    if outcomes.outdated:
        typer.echo(f"{outcomes.outdated:,} of them are kept as history: something newer has landed since.")
    if report.dates:
        typer.echo(f"{len(report.dates)} dates to make anew: `takt refresh --dirty`.")


@app.command()
def dismiss(
    ids: _Ids = None,
    every: _All = False,
    tenant: _Tenant = "default",
    load: _Load = None,
    reason: _Code = None,
    record_type: _Type = None,
    as_json: _Json = False,
) -> None:
    """Take rows that nobody will mend off the list; they stay stored."""
    from platform_core.ingest.rejects import dismiss_rejects
    from platform_core.warehouse.connection import transaction

    choice = _choice(ids, every, load, reason, record_type)
    with _opened(tenant) as (warehouse, owner), transaction(warehouse) as conn:
        count = dismiss_rejects(conn, owner.id, choice)
    typer.echo(json.dumps({"dismissed": count}) if as_json else f"{count:,} rejected rows dismissed.")


def _choice(
    ids: list[str] | None, every: bool, load: UUID | None, reason: str | None, record_type: str | None
) -> "Choice":
    from platform_core.ingest.rejects import Choice

    if not (ids or every or load or reason or record_type):
        raise typer.BadParameter("name ids, or --load, --reason, --record-type, or --all.")
    return Choice(tuple(ids) if ids else None, load, reason, record_type)


@contextmanager
def _opened(slug: str) -> "Generator[tuple[Warehouse, Tenant]]":
    from platform_core.tenants.service import get_tenant
    from platform_core.warehouse.connection import transaction
    from platform_core.warehouse.setup import prepare

    warehouse = prepare(Settings())
    with transaction(warehouse, read_only=True) as conn:
        tenant = get_tenant(conn, slug)
    yield warehouse, tenant


def _place(one: "Reject", *, short: bool = True) -> str:
    name = "/".join(one.source_name.split("/")[-2:]) if short else one.source_name
    return f"{name} line {one.source_row}"


def _as_json(one: "Reject") -> dict[str, Any]:
    return {
        name: value if isinstance(value, int | list) or value is None else str(value)
        for name, value in one._asdict().items()
    }
