"""From marks on (model, date) to as few runs as make exactly those anew. Pure."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from dbt_like_sql.project import Project
from platform_assets.partitions import DateRange, contiguous
from platform_assets.store import DueMark
from platform_core.warehouse.contracts import UNDATED


@dataclass(frozen=True)
class PlannedRun:
    """One run: the relations to make, upstreams first, and for which dates (None: models without dates)."""

    relations: tuple[str, ...]
    dates: DateRange | None


def plan(project: Project, marks: Sequence[DueMark], first_date: date, today: date) -> tuple[PlannedRun, ...]:
    """The runs that the marks ask for, oldest dates first.

    Dirty dimensions come alone: publishing them marks what reads them, which the next plan then has. A date ahead of
    today is made by today's partition, and so is a dirty mart that no other run refreshes.
    """
    known = [mark for mark in marks if mark.model in project.models]
    dimensions = {mark.model for mark in known if project.models[mark.model].layer == "dimensions"}
    if dimensions:
        return (PlannedRun(_ordered(project, dimensions), None),)
    by_date: dict[date, set[str]] = {}
    for mark in known:
        if mark.date != UNDATED and mark.date >= first_date:
            by_date.setdefault(min(mark.date, today), set()).add(mark.model)
    runs = [
        PlannedRun(_ordered(project, _with_readers(project, _models_in(by_date, dates))), dates)
        for dates in contiguous(by_date)
    ]
    refreshed = {relation for run in runs for relation in run.relations}
    alone = {mark.model for mark in known if mark.date == UNDATED} - refreshed
    if alone:
        runs.append(PlannedRun(_ordered(project, _with_readers(project, alone)), DateRange(today, today)))
    return tuple(runs)


def fingerprint(marks: Iterable[DueMark]) -> str:
    """Changes whenever a mark comes, goes or is renewed."""
    text = "\n".join(f"{mark.model} {mark.date} {mark.generation}" for mark in marks)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprint_of_files(files: Iterable[Path]) -> str:
    """Changes whenever a file comes, goes or is written to."""
    parts: list[str] = []
    for path in sorted(files):
        status = path.stat()
        parts.append(f"{path} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _models_in(by_date: dict[date, set[str]], dates: DateRange) -> set[str]:
    return {model for day, models in by_date.items() if dates.first <= day <= dates.last for model in models}


def _with_readers(project: Project, relations: set[str]) -> set[str]:
    return relations.union(*(project.descendants(relation) for relation in relations))


def _ordered(project: Project, relations: set[str]) -> tuple[str, ...]:
    return tuple(relation for relation in project.models if relation in relations)
