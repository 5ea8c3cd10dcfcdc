"""The report of one production date, for one tenant."""

from datetime import date
from decimal import Decimal
from typing import Any

import psycopg

from platform_core.daily_report import store
from platform_core.daily_report.contracts import DailyReport, LineReport, RejectReport


def newest_date(conn: psycopg.Connection) -> date | None:
    """The newest production date to report on; None when nothing was published. The session carries the tenant."""
    return store.newest_date(conn)


def daily_report(conn: psycopg.Connection, day: date) -> DailyReport:
    """Every line's OEE on `day`, worst first, with its main loss and cause. The session carries the tenant."""
    defects = store.top_defects(conn, day)
    lines = tuple(_line(row, defects.get(row["line_code"])) for row in store.lines(conn, day))
    rejects = tuple(RejectReport(**row) for row in store.rejects(conn))
    return DailyReport(day, lines, rejects)


def _line(row: dict[str, Any], defect: tuple[str, Any] | None) -> LineReport:
    loss = row["main_loss"]
    return LineReport(
        line_code=row["line_code"],
        line_name=row["line_name"],
        oee=row["oee"],
        availability=row["availability"],
        performance=row["performance"],
        quality=row["quality"],
        main_loss=loss,
        loss_minutes=row[f"{loss}_loss_minutes"] if loss else None,
        cause=_cause(row, defect),
        worst_shift=row["worst_shift"],
    )


def _cause(row: dict[str, Any], defect: tuple[str, Any] | None) -> str | None:
    match row["main_loss"]:
        case "availability":
            return _stops(row["breakdown_minutes"], row["setup_time_minutes"])
        case "quality" if defect is not None:
            return f"{defect[1]:,.0f} of {row['defect_qty']:,.0f} defects are {defect[0]}"
        case "performance":
            return "slower than the ideal cycle"
        case _:
            return None


def _stops(breakdown: Decimal | None, setup: Decimal | None) -> str:
    stops = sorted(((minutes or Decimal(0), name) for minutes, name in ((breakdown, "breakdown"), (setup, "setup"))))
    minutes, name = stops[-1]
    return f"{name} {minutes:,.0f} min" if minutes > 0 else "the source gives no reason"
