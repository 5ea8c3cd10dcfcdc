"""`takt suggest`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from platform_core.settings import Settings

if TYPE_CHECKING:
    from platform_core.suggest.contracts import CycleTimeProposal, CycleTimeSuggestion
    from platform_core.tenants.contracts import Tenant
    from platform_core.warehouse.connection import Warehouse

app = typer.Typer(help="Propose master data that is missing, with the evidence.", no_args_is_help=True)


@app.callback()
def suggest() -> None:
    """Keep `takt suggest` a group although it has one command."""


@app.command("cycle-times")
def cycle_times(
    tenant: Annotated[str, typer.Option(help="Slug of the tenant.")] = "default",
    output: Annotated[
        Path | None, typer.Option(help="File of the suggestions; default: in the tenant's folder of seeds.")
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Land the file written before, with the changes made to it since.")
    ] = False,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days of history, up to the newest date.")] = 90,
    min_orders: Annotated[int, typer.Option(min=2, help="Work orders that a proposal needs.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Propose ideal cycle times where none is known or performance shows it too slow, as a file to accept."""
    from platform_core.suggest.service import suggestion_file

    settings = Settings()
    warehouse, owner = _opened(settings, tenant)
    path = output or suggestion_file(settings, tenant)
    if accept:
        _accept(warehouse, owner, settings, path, as_json)
    else:
        _propose(warehouse, owner, path, days, min_orders, as_json)


def _propose(warehouse: "Warehouse", owner: "Tenant", path: Path, days: int, min_orders: int, as_json: bool) -> None:
    from platform_core.suggest.service import suggest_cycle_times, write_suggestion
    from platform_core.warehouse.connection import transaction

    with transaction(warehouse, read_only=True) as conn:
        suggestion = suggest_cycle_times(conn, owner.id, days=days, min_orders=min_orders)
    if suggestion.proposals:
        write_suggestion(path, suggestion)
    if as_json:
        typer.echo(json.dumps(_as_json(suggestion, path), ensure_ascii=False))
        return
    for proposal in suggestion.proposals:
        typer.echo(_line(proposal))
    for cycle in suggestion.undecided:
        typer.echo(
            f"{cycle.line_code} {cycle.product_code}: {cycle.work_orders} work orders are too few to propose a value"
            f" (--min-orders {suggestion.min_orders})."
        )
    if suggestion.proposals:
        typer.echo(f"Written to {path}: look through it, then `takt suggest cycle-times --accept`.")
    elif not suggestion.undecided:
        typer.echo("Nothing to propose: every line and product that was made has a plausible ideal cycle time.")


def _accept(warehouse: "Warehouse", owner: "Tenant", settings: Settings, path: Path, as_json: bool) -> None:
    from dbt_like_sql.project import load_project
    from platform_core.clock import utc_now
    from platform_core.ingest import reports
    from platform_core.ingest.service import Ingest
    from platform_core.suggest.service import accept_cycle_times

    ingest = Ingest(warehouse, settings, load_project(), owner, utc_now(), strict=True)
    report = accept_cycle_times(ingest, path)
    if as_json:
        typer.echo(json.dumps(reports.as_json(report), ensure_ascii=False))
    else:
        outcomes = report.outcomes
        for failed in report.failed:
            typer.echo(f"{failed.name}: {failed.code}: {failed.message}", err=True)
        typer.echo(
            f"{outcomes.landed:,} new cycle times, {outcomes.corrected:,} changed, {outcomes.unchanged:,} as before."
        )
        if report.dates:
            typer.echo(f"{len(report.dates)} dates to make anew: `takt refresh --dirty`.")
    if report.failed:
        raise typer.Exit(1)


def _opened(settings: Settings, slug: str) -> "tuple[Warehouse, Tenant]":
    from platform_core.tenants.service import get_tenant
    from platform_core.warehouse.connection import transaction
    from platform_core.warehouse.setup import prepare

    warehouse = prepare(settings)
    with transaction(warehouse, read_only=True) as conn:
        return warehouse, get_tenant(conn, slug)


def _line(proposal: "CycleTimeProposal") -> str:
    evidence = proposal.evidence
    now = "none known" if evidence.current_cycle_sec is None else f"now {float(evidence.current_cycle_sec):g} s"
    return (
        f"{proposal.line_code} {proposal.product_code}: {float(proposal.ideal_cycle_sec):g} s ({now}; median"
        f" {float(evidence.median_cycle_sec):g} s over {evidence.work_orders:,} work orders,"
        f" {evidence.first_date} to {evidence.last_date})"
    )


def _as_json(suggestion: "CycleTimeSuggestion", path: Path) -> dict[str, Any]:
    return {
        "file": str(path) if suggestion.proposals else None,
        "proposals": [
            {
                "line_code": proposal.line_code,
                "product_code": proposal.product_code,
                "valid_from": proposal.valid_from and proposal.valid_from.isoformat(),
                "ideal_cycle_sec": float(proposal.ideal_cycle_sec),
                "reason": proposal.reason,
                "current_cycle_sec": _number(proposal.evidence.current_cycle_sec),
                "median_cycle_sec": float(proposal.evidence.median_cycle_sec),
                "work_orders": proposal.evidence.work_orders,
                "pieces": float(proposal.evidence.pieces),
                "first_date": proposal.evidence.first_date.isoformat(),
                "last_date": proposal.evidence.last_date.isoformat(),
            }
            for proposal in suggestion.proposals
        ],
        "undecided": [
            {"line_code": cycle.line_code, "product_code": cycle.product_code, "work_orders": cycle.work_orders}
            for cycle in suggestion.undecided
        ],
    }


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
