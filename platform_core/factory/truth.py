"""What the warehouse must show, computed from the simulated records with pandas, apart from all our SQL."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from importlib import import_module
from typing import Any, cast

from platform_core.factory.bulk import BulkTotals
from platform_core.factory.contracts import History, Interval, Json, Line, Plant, SourceFile
from platform_core.factory.production import ideal_cycle
from platform_core.factory.rows import DEFECTS_KO

Frame = Any
"""A pandas data frame; pandas carries no complete types, so that checking it strictly says nothing."""

_KEY = ["tenant", "date", "line_code", "product_code", "shift"]
_SUMS = [
    "total_qty",
    "good_qty",
    "defect_qty",
    "rework_qty",
    "scrap_qty",
    "planned_qty",
    "runtime_minutes",
    "downtime_minutes",
    "setup_time_minutes",
]
# What a feed does not carry is null in the facts.
_MISSING = {
    "mes_json": (),
    "mes_csv": ("rework_qty", "scrap_qty", "planned_qty", "cycle"),
    "daily_report": ("rework_qty", "scrap_qty", "cycle", "operator"),
}


def make_truth(histories: Sequence[History], files: Sequence[SourceFile], bulk: dict[str, BulkTotals]) -> Json:
    """All tables of `truth.json`; rows are dicts, dates ISO texts, ratios 0..1, unknown values null."""
    production = _production(histories, bulk)
    return {
        "tenants": [history.plant.slug for history in histories],
        "daily_production": _records(production.drop(columns=["ideal_seconds"])),
        "daily_defect": _records(_defects(histories)),
        "oee": _records(_oee(production, ["tenant", "date", "line_code", "shift"])),
        "oee_line_day": _records(_oee(production, ["tenant", "date", "line_code"])),
        "inventory": _records(_inventory(histories)),
        "orders": _records(_orders(histories)),
        "equipment": _records(_equipment(histories)),
        "rejected": _rejected(files),
        "files": [
            {"path": file.path, "outcomes": dict(file.outcomes), "rejected": dict(file.rejected)} for file in files
        ],
        "story": {history.plant.slug: history.story for history in histories},
    }


def _pandas() -> Any:
    return import_module("pandas")  # half a second, so only when a truth is made


def _records(frame: Frame) -> list[Json]:
    """Rows sorted by their key columns (the leading text columns), NaN as None, floats rounded to 12 digits."""
    rows: list[Json] = []
    for row in cast("list[dict[str, Any]]", frame.to_dict("records")):
        rows.append({name: _plain(value) for name, value in row.items()})
    return rows


def _plain(value: Any) -> Any:
    if value is None or value != value:
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else float(f"{value:.12g}")
    return value.isoformat() if isinstance(value, date) else value


def _production(histories: Sequence[History], bulk: dict[str, BulkTotals]) -> Frame:
    """Sums by the fact's grain, with count, sum and sum of squares of the cycle times behind mean and deviation."""
    pd = _pandas()
    frames: list[Frame] = []
    for history in histories:
        orders = pd.DataFrame(_work_order_rows(history))
        grouped = orders.groupby(_KEY, sort=True)
        frame = grouped[[*_SUMS, "ideal_seconds", "cycle", "cycle_squared"]].sum(min_count=1)
        frame["cycle_count"] = grouped["cycle"].count()
        frame["work_order_count"] = grouped.size()
        frame["operator_count"] = grouped["operator"].nunique()
        frames.append(frame.reset_index())
        if history.plant.slug in bulk:
            frames.append(pd.DataFrame(_bulk_rows(history.plant, bulk[history.plant.slug])))
    everything = pd.concat(frames)
    sums = everything.groupby(_KEY, sort=True).sum(min_count=1).reset_index()
    sums["operator_count"] = sums["operator_count"].where(sums["operator_count"] > 0)
    return _with_cycle(sums)


def _with_cycle(sums: Frame) -> Frame:
    count = sums["cycle_count"]
    mean = sums["cycle"] / count.where(count > 0)
    squares = (sums["cycle_squared"] - count * mean * mean).clip(lower=0)
    sums["cycle_time_avg"] = mean
    sums["cycle_time_std"] = (squares / (count - 1).where(count > 1)) ** 0.5
    return sums.drop(columns=["cycle", "cycle_squared", "cycle_count"])


def _work_order_rows(history: History) -> list[Json]:
    lines = {line.code: line for line in history.plant.lines}
    rows: list[Json] = []
    for order in history.work_orders:
        line = lines[order.line]
        row: Json = {
            "tenant": history.plant.slug,
            "date": order.day.isoformat(),
            "line_code": order.line,
            "product_code": order.product,
            "shift": order.shift,
            "total_qty": order.total,
            "good_qty": order.good,
            "defect_qty": order.defect,
            "rework_qty": order.rework,
            "scrap_qty": order.scrap,
            "planned_qty": order.planned,
            "runtime_minutes": order.runtime,
            "downtime_minutes": order.downtime,
            "setup_time_minutes": sum(minutes for reason, minutes in order.stops if reason == "setup"),
            "ideal_seconds": order.total * ideal_cycle(history.plant, line, order.product),
            "cycle": order.cycle,
            "operator": order.operator,
        }
        for name in _MISSING[line.feed]:
            row[name] = None
        row["cycle_squared"] = None if row["cycle"] is None else row["cycle"] ** 2
        rows.append(row)
    return rows


def _bulk_rows(plant: Plant, totals: BulkTotals) -> list[Json]:
    lines: dict[str, Line] = {line.code: line for line in plant.lines}
    return [
        {
            "tenant": plant.slug,
            "date": day.isoformat(),
            "line_code": line,
            "product_code": product,
            "shift": shift,
            "total_qty": each.total,
            "good_qty": each.good,
            "defect_qty": each.total - each.good,
            "planned_qty": each.planned,
            "runtime_minutes": each.runtime,
            "downtime_minutes": each.downtime,
            "setup_time_minutes": each.setup,
            "ideal_seconds": each.total * ideal_cycle(plant, lines[line], product),
            "cycle": each.cycle,
            "cycle_squared": each.cycle_squared,
            "cycle_count": each.count,
            "work_order_count": each.count,
            "operator_count": 1,
        }
        for (day, line, product, shift), each in totals.sums.items()
        if each.count
    ]


def _oee(production: Frame, key: list[str]) -> Frame:
    columns = ["total_qty", "good_qty", "defect_qty", "runtime_minutes", "downtime_minutes", "ideal_seconds"]
    sums = production.groupby(key, sort=True)[columns].sum(min_count=1).reset_index()
    planned = sums["runtime_minutes"] + sums["downtime_minutes"]
    runtime = sums["runtime_minutes"]
    total = sums["total_qty"]
    sums["availability"] = runtime / planned.where(planned > 0)
    sums["performance"] = sums["ideal_seconds"] / 60 / runtime.where(runtime > 0)
    sums["quality"] = sums["good_qty"] / total.where(total > 0)
    sums["oee"] = sums["availability"] * sums["performance"] * sums["quality"]
    return sums.drop(columns=["ideal_seconds"])


def _defects(histories: Sequence[History]) -> Frame:
    pd = _pandas()
    rows: list[Json] = []
    for history in histories:
        feeds = {line.code: line.feed for line in history.plant.lines}
        for order in history.work_orders:
            rows += [
                {
                    "tenant": history.plant.slug,
                    "date": order.day.isoformat(),
                    "line_code": order.line,
                    "product_code": order.product,
                    "shift": order.shift,
                    "defect_type": kind if feeds[order.line] == "mes_json" else DEFECTS_KO[kind],
                    "defect_qty": quantity,
                }
                for kind, quantity in order.defects
            ]
    frame = pd.DataFrame(rows, columns=[*_KEY, "defect_type", "defect_qty"])
    return frame.groupby([*_KEY, "defect_type"], sort=True)["defect_qty"].sum().reset_index()


def _inventory(histories: Sequence[History]) -> Frame:
    """Coverage from the payload's usage, else the mean daily issue of the 30 calendar days up to the date."""
    pd = _pandas()
    frames: list[Frame] = []
    for history in histories:
        frame = pd.DataFrame(
            {
                "tenant": history.plant.slug,
                "date": each.day.isoformat(),
                "product_code": each.product,
                "location": each.location,
                "stock_qty": each.stock,
                "safety_stock_qty": each.safety,
                "reserved_qty": each.reserved,
                "available_qty": each.stock - each.reserved,
                "in_transit_qty": each.in_transit,
                "stock_value": each.stock * each.unit_cost,
                "issued": float(each.issued),
                "usage": each.usage,
            }
            for each in history.stocks
        )
        place = frame.groupby(["product_code", "location"])["issued"]
        issued = place.transform(_mean_of_30)
        usage = frame["usage"].astype(float).fillna(issued)
        frame["avg_daily_usage"] = usage
        frame["coverage_days"] = frame["available_qty"] / usage.where(usage > 0)
        frame["status"] = [
            _status(available, safety)
            for available, safety in zip(frame["available_qty"], frame["safety_stock_qty"], strict=True)
        ]
        frames.append(frame.drop(columns=["issued", "usage"]))
    return pd.concat(frames).sort_values(["tenant", "date", "product_code", "location"], ignore_index=True)


def _mean_of_30(issued: Any) -> Any:
    return issued.rolling(30, min_periods=1).mean()


def _status(available: float, safety: float) -> str:
    if available < safety:
        return "below_safety"
    if available < 1.5 * safety:
        return "low"
    return "excess" if available > 3 * safety else "normal"


def _orders(histories: Sequence[History]) -> Frame:
    pd = _pandas()
    frame = pd.DataFrame(
        {
            "tenant": history.plant.slug,
            "date": each.due.isoformat(),
            "product_code": each.product,
            "customer_code": each.customer,
            "ordered_qty": each.quantity,
            "delivered_qty": each.delivered,
            "delivered_on_time_qty": each.delivered if each.delivered_on and each.delivered_on <= each.due else 0,
            "open_qty": max(each.quantity - each.delivered, 0),
            "order_count": 1,
        }
        for history in histories
        for each in history.orders
    )
    return frame.groupby(["tenant", "date", "product_code", "customer_code"], sort=True).sum().reset_index()


def _equipment(histories: Sequence[History]) -> Frame:
    """Events by production date; an interval is split where the plant's day begins and counted where it began."""
    pd = _pandas()
    rows: list[Json] = []
    for history in histories:
        for each in history.intervals:
            for day, begin, end in _days(history.plant, each):
                rows.append(
                    {
                        "tenant": history.plant.slug,
                        "date": day.isoformat(),
                        "equipment_code": each.equipment,
                        "event_type": each.type,
                        "event_count": int(begin == each.start),
                        "total_duration_minutes": None if end is None else (end - begin).total_seconds() / 60,
                    }
                )
    frame = pd.DataFrame(rows)
    grouped = frame.groupby(["tenant", "date", "equipment_code", "event_type"], sort=True)
    return grouped.sum(min_count=1).reset_index()


def _days(plant: Plant, interval: Interval) -> list[tuple[date, datetime, datetime | None]]:
    """The parts of an interval by production date. A plant's day begins where its last shift of the day before ends."""
    day_start = max((shift.end for shift in plant.shifts if shift.end <= shift.start), default=time(0))
    local = interval.start.astimezone(plant.zone)
    day = local.date() - timedelta(days=local.time() < day_start)
    if interval.end is None:
        return [(day, interval.start, None)]
    parts: list[tuple[date, datetime, datetime | None]] = []
    begin = interval.start
    while begin < interval.end:
        limit = datetime.combine(day + timedelta(days=1), day_start, plant.zone).astimezone(UTC)
        parts.append((day, begin, min(limit, interval.end)))
        day, begin = day + timedelta(days=1), limit
    return parts


def _rejected(files: Sequence[SourceFile]) -> list[Json]:
    counts: dict[tuple[str, str], int] = {}
    for file in files:
        for reason, count in file.rejected.items():
            counts[file.tenant, reason] = counts.get((file.tenant, reason), 0) + count
    return [
        {"tenant": tenant, "reason_code": reason, "count": count} for (tenant, reason), count in sorted(counts.items())
    ]
