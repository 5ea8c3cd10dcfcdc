"""How `takt backfill` and `takt refresh` show a run while it goes on, and report it at its end."""

import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from platform_assets.summary import Progress, RunSummary, StepDone

_SHOWN_FAILURES = 20


def _refuse_tenant(slug: str | None) -> None:
    if slug is not None:
        raise typer.BadParameter(
            "a run makes its dates for all tenants: a date is one partition, and its verdict is the worst over tenants,"
            f" so a run for {slug} alone would say of the date what holds for {slug} only."
            " Leave the option out; what did not change comes out as it was."
        )


WholeDates = Annotated[
    str | None,
    typer.Option(
        "--tenant",
        metavar="SLUG",
        callback=_refuse_tenant,
        help="Refused: a date is one partition of all tenants, with one verdict, and is made for all of them.",
    ),
]
"""The option that other commands have, where it cannot be."""


@contextmanager
def progress_of(title: str) -> "Generator[Progress]":
    """A bar on a terminal, a plain line for each asset in a log; on standard error, results go to standard output."""
    if not sys.stderr.isatty():
        typer.echo(f"{title} ...", err=True)
        yield _line
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)

        def show(step: "StepDone") -> None:
            bar.update(task, total=step.total, completed=step.done, description=f"{title}: {step.asset}")

        yield show


def report(summary: "RunSummary", *, as_json: bool) -> None:
    """Print what was made and what was not, and leave with code 1 when a date failed."""
    if as_json:
        typer.echo(json.dumps(as_dict(summary)))
    else:
        _print(summary)
    if not summary.ok:
        raise typer.Exit(1)


def as_dict(summary: "RunSummary") -> dict[str, Any]:
    """The summary, ready for JSON."""
    return {
        "ok": summary.ok,
        "runs": list(summary.runs),
        "dates": [[each.first.isoformat(), each.last.isoformat()] for each in summary.dates],
        "rows": summary.rows,
        "failures": [vars(failure) for failure in summary.failures],
        "seconds": round(summary.seconds, 2),
    }


def _line(step: "StepDone") -> None:
    outcome = step.error or (f"{step.rows} rows" + (f", {step.failed} dates held back" if step.failed else ""))
    dates = f"{step.dates} " if step.dates else ""
    typer.echo(f"{dates}[{step.done}/{step.total}] {step.asset}: {outcome}", err=True)


def _print(summary: "RunSummary") -> None:
    if not summary.runs:
        typer.echo("Nothing was dirty.")
        return
    days = sum(each.days for each in summary.dates)
    rows = sum(rows for model, rows in summary.rows.items() if not model.startswith("raw."))
    typer.echo(f"{len(summary.rows)} tables, {days} dates, {rows} rows made in {summary.seconds:.1f} s.")
    for failure in summary.failures[:_SHOWN_FAILURES]:
        where = " ".join(part for part in (failure.tenant, failure.date, failure.model) if part)
        typer.echo(f"FAILED {where}: {failure.reason}")
    if len(summary.failures) > _SHOWN_FAILURES:
        typer.echo(f"... and {len(summary.failures) - _SHOWN_FAILURES} more; --json lists all.")
