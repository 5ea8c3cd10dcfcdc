"""`takt status`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from platform_core.clock import utc_now
from platform_core.settings import Settings

if TYPE_CHECKING:
    from platform_core.status.contracts import CheckWarning, OpenDate, Status

app = typer.Typer()

_LINES = 20
"""Dirty or failed dates shown on a terminal; `--json` has them all."""

_NAMES = ("line_code", "product_code", "shift", "equipment_code", "location", "defect_type")

_FRESH = {True: "yes", False: "STALE", None: "-"}


@app.command()
def status(
    tenant: Annotated[str | None, typer.Option(help="Slug of one tenant; default: all together.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show per model the newest date with rows, freshness, what is dirty, failed or rejected, and the next run."""
    from platform_core.status.service import read_status
    from platform_core.warehouse.connection import open_warehouse

    now = utc_now()
    found = read_status(open_warehouse(Settings()), now=now, tenant=tenant)
    typer.echo(json.dumps(_document(found, now), ensure_ascii=False) if as_json else "\n".join(_lines(found, now)))


def _document(found: "Status", now: datetime) -> dict[str, Any]:
    document = json.loads(json.dumps(asdict(found), default=_plain))
    for model, shown in zip(found.models, document["models"], strict=True):
        shown["age_hours"] = model.age_hours(now)
    for feed, shown in zip(found.feeds, document["feeds"], strict=True):
        shown["is_stale"] = feed.is_stale
    document["next_runs"] = [{"zone": zone, "at": moment.isoformat()} for zone, moment in found.next_runs]
    document["archived"] = [{"first_date": str(first), "last_date": str(last)} for first, last in found.archived]
    return document


def _plain(value: date | datetime) -> str:
    return value.isoformat()


def _lines(found: "Status", now: datetime) -> Iterator[str]:
    yield f"Tenants: {', '.join(found.tenants) or 'none'}"
    width = max((len(model.model) for model in found.models), default=5)
    columns = f"{'rows':>12}  dirty  failed  rejected"
    yield f"{'model':<{width}}  last good   fresh  published    {columns}  next run (UTC)"
    for model in found.models:
        good = str(model.last_good_date or "-")
        age = _age(model.age_hours(now))
        counts = f"{model.rows:>12,}  {model.dirty or '-':>5}  {model.failed or '-':>6}  {model.rejected or '-':>8}"
        following = f"{model.next_run:%m-%d %H:%M}" if model.next_run else "-"
        yield f"{model.model:<{width}}  {good:<10}  {_FRESH[model.fresh]:<5}  {age:<11}  {counts}  {following}"
    for feed in found.feeds:
        if feed.is_stale:
            yield (
                f"Stale: {feed.model} of {feed.tenant} has no rows after {feed.newest_date}, which ended"
                f" {_age(feed.hours)} ({feed.hours_allowed} h are allowed)"
            )
    yield from _warnings(found.warnings)
    yield from _open("Failed, so that readers see the last good version", found.failed)
    yield from _open("Dirty, to be made anew (`takt refresh --dirty`)", found.dirty)
    if found.rejected:
        said = ", ".join(f"{count:,} {kind}" for kind, count in found.rejected.items())
        yield f"Rejected rows: {said} (`takt rejects list`)"
    for run in found.failed_runs:
        yield f"Failed run {run.run_id[:8]} of {run.job}: {run.error}"
    for first, last in found.archived:
        yield f"Archived: {first} to {last}"
    for zone, moment in found.next_runs:
        yield f"Next daily refresh: {moment:%Y-%m-%d %H:%M} UTC ({zone}); runs come while `takt up` runs"


def _warnings(warnings: "Sequence[CheckWarning]") -> Iterator[str]:
    if warnings:
        yield "Warnings, published all the same (the rows are in bi.data_quality_checks):"
    for each in warnings[:_LINES]:
        dates = f"on {each.newest_date}" if each.dates == 1 else f"on {each.dates} dates, the last {each.newest_date}"
        shown = ", ".join(dict.fromkeys(_named(row) for row in each.sample))
        yield f"  {each.model} {each.tenant}: {each.name} {dates}{f' ({shown})' if shown else ''}"
    if len(warnings) > _LINES:
        yield f"  ... and {len(warnings) - _LINES} more (--json shows all)"


def _named(row: Mapping[str, Any]) -> str:
    """What a broken row is about, as its line, product and so on."""
    return " ".join(str(row[name]) for name in _NAMES if row.get(name) is not None)


def _age(hours: float | None) -> str:
    if hours is None:
        return "never"
    if hours < 1:
        return f"{max(round(hours * 60), 0)} min ago"
    return f"{round(hours)} h ago" if hours < 48 else f"{round(hours / 24)} days ago"


def _open(title: str, dates: "Sequence[OpenDate]") -> Iterator[str]:
    """Dates in a row that share model, tenant and reason come as one line."""
    ordered = sorted(dates, key=lambda item: (item.model, item.tenant, item.reason, item.date or date.min))
    lines: list[str] = []
    for (model, tenant, reason), group in groupby(ordered, key=lambda item: (item.model, item.tenant, item.reason)):
        lines += [f"  {model} {span}{tenant}: {reason}" for span in _spans([item.date for item in group])]
    if lines:
        yield f"{title}:"
        yield from lines[:_LINES]
        if len(lines) > _LINES:
            yield f"  ... and {len(lines) - _LINES} more (--json shows all)"


def _spans(dates: Sequence[date | None]) -> Iterator[str]:
    start: date | None = None
    last: date | None = None
    for day in [*dates, None]:
        if start is not None and last is not None and (day is None or day != last + timedelta(days=1)):
            yield f"{start} " if start == last else f"{start} to {last} "
            start = None
        start, last = start or day, day
    if any(day is None for day in dates):
        yield ""
