"""Proposing ideal cycle times from the history, and accepting the proposals that a person has looked at."""

import csv
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import psycopg

from platform_core.ingest.reports import IngestReport
from platform_core.ingest.service import Ingest, ingest_files
from platform_core.settings import Settings
from platform_core.suggest import store
from platform_core.suggest.contracts import CycleTimeProposal, CycleTimeSuggestion, MeasuredCycle, Reason
from platform_core.suggest.errors import NothingToAcceptError
from platform_core.tenants.service import tenant_home

WINDOW_DAYS = 90
MIN_ORDERS = 10
MIN_MINUTES = 10
"""A run shorter than this says little about what a line can keep up."""
TOO_SLOW = Decimal("1.2")
"""Performance above which an ideal cycle time is taken for too slow; the check of mv_oee_daily warns at the same."""

SEED_COLUMNS = ("line_code", "product_code", "valid_from", "ideal_cycle_sec")
EVIDENCE_COLUMNS = (
    "reason",
    "current_cycle_sec",
    "best_cycle_sec",
    "median_cycle_sec",
    "work_orders",
    "pieces",
    "first_date",
    "last_date",
)
_MAPPING = "takt_cycle_time"


def suggest_cycle_times(
    conn: psycopg.Connection,
    tenant_id: UUID,
    *,
    days: int = WINDOW_DAYS,
    min_orders: int = MIN_ORDERS,
    min_minutes: int = MIN_MINUTES,
) -> CycleTimeSuggestion:
    """Propose an ideal cycle time for each line and product that has none, or one that the history shows too slow.

    What is proposed is the best sustained cycle: the one that a tenth of the work orders beat, over the `days` up to
    the tenant's newest production date, among work orders that ran at least `min_minutes`. Under `min_orders` of them
    nothing is proposed.
    """
    proposals: list[CycleTimeProposal] = []
    undecided: list[MeasuredCycle] = []
    for cycle in store.measured_cycles(conn, tenant_id, days=days, min_minutes=min_minutes):
        reason = _reason(cycle)
        if reason is None:
            continue
        if cycle.work_orders < min_orders or cycle.best_cycle_sec <= 0:
            undecided.append(cycle)
        else:
            proposals.append(
                CycleTimeProposal(
                    cycle.line_code, cycle.product_code, cycle.valid_from, cycle.best_cycle_sec, reason, cycle
                )
            )
    return CycleTimeSuggestion(tuple(proposals), tuple(undecided), min_orders)


def suggestion_file(settings: Settings, slug: str) -> Path:
    """Where the suggestions for a tenant are written unless the caller says otherwise."""
    return _seeds(settings, slug) / "cycle_time.suggested.csv"


def accepted_file(settings: Settings, slug: str) -> Path:
    """Where the cycle times lie that were accepted for a tenant."""
    return _seeds(settings, slug) / "cycle_time.csv"


def write_suggestion(path: Path, suggestion: CycleTimeSuggestion) -> None:
    """Write the proposals as a seed file: the canonical columns, then the evidence. Replaces an older suggestion."""
    _write_csv(path, (*SEED_COLUMNS, *EVIDENCE_COLUMNS), (_row(proposal) for proposal in suggestion.proposals))


def accept_cycle_times(ingest: Ingest, path: Path) -> IngestReport:
    """Land the cycle times of a suggestion file, as it stands after a person's changes, and keep them as accepted.

    A row that cannot be used lets nothing land. Raises NothingToAcceptError without a file, IngestError for bad rows.
    """
    if not path.is_file():
        raise NothingToAcceptError(
            f"There is no file of suggestions at {path}.",
            hint="Run `takt suggest cycle-times` first, look through the file, then accept it.",
        )
    # Accepting an older list once more is a decision of now.
    report = ingest_files(replace(ingest, knows_files=False), [path], mapping=_MAPPING)
    if not report.failed:
        _keep(accepted_file(ingest.settings, ingest.tenant.slug), _read_csv(path))
    return report


def _reason(cycle: MeasuredCycle) -> Reason | None:
    if cycle.current_cycle_sec is None:
        return "missing"
    return "too_slow" if cycle.current_cycle_sec > cycle.best_cycle_sec * TOO_SLOW else None


def _row(proposal: CycleTimeProposal) -> dict[str, object]:
    evidence = proposal.evidence
    return {
        "line_code": proposal.line_code,
        "product_code": proposal.product_code,
        "valid_from": proposal.valid_from or "",
        "ideal_cycle_sec": _plain(proposal.ideal_cycle_sec),
        "reason": proposal.reason,
        "current_cycle_sec": "" if evidence.current_cycle_sec is None else _plain(evidence.current_cycle_sec),
        "best_cycle_sec": _plain(evidence.best_cycle_sec),
        "median_cycle_sec": _plain(evidence.median_cycle_sec),
        "work_orders": evidence.work_orders,
        "pieces": _plain(evidence.pieces),
        "first_date": evidence.first_date,
        "last_date": evidence.last_date,
    }


def _plain(number: Decimal) -> str:
    """Without trailing zeros and without an exponent."""
    return format(number.normalize(), "f")


def _seeds(settings: Settings, slug: str) -> Path:
    return tenant_home(settings, slug) / "seeds"


def _keep(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """Add the rows to the accepted ones; a later row for the same key takes the place of the earlier."""
    accepted = {_key(row): row for row in (*(_read_csv(path) if path.is_file() else ()), *rows)}
    _write_csv(path, SEED_COLUMNS, (accepted[key] for key in sorted(accepted)))


def _key(row: dict[str, str]) -> tuple[str, str, str]:
    return row["line_code"], row["product_code"], row.get("valid_from") or ""


def _read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _write_csv(
    path: Path, columns: Sequence[str], rows: Iterable[dict[str, object]] | Iterable[dict[str, str]]
) -> None:
    """Write beside and rename, so that a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(row)
    beside.replace(path)
