"""Facts and marts of one plant by pandas, from its records alone: what the warehouse must show, apart from our SQL.

Each oracle takes the current records and returns rows with the key columns of their table; unknown values are None.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from tests.end_to_end.warehouse_of_factory import Row

SEOUL = ZoneInfo("Asia/Seoul")
IDEAL_SECONDS = {"P1": 30.0}
"""Of the products whose ideal cycle time is known."""
KEY = ["date", "line_code", "product_code", "shift"]
SUMS = ["total_qty", "good_qty", "defect_qty", "rework_qty", "runtime_minutes", "downtime_minutes"]
SHARED = ["total_qty", "good_qty", "defect_qty", "runtime_minutes", "downtime_minutes"]
Frame = Any
"""Any: pandas carries no complete types."""


def current(rows: Sequence[Row], key: Sequence[str]) -> list[Row]:
    """The newest version of each record."""
    newest: dict[tuple[Any, ...], Row] = {}
    for row in sorted(rows, key=lambda row: row["updated_at"]):
        newest[tuple(row[name] for name in key)] = row
    return list(newest.values())


def shift_date(row: Row) -> str:
    """The date of the nearest start of the row's shift whose twelve hours hold the time, or end or begin next to it."""
    moment = datetime.fromisoformat(row["start_time"]).astimezone(SEOUL)
    begin_hour = 6 if row["shift"] == "day" else 18
    best = None
    for days in (-1, 0, 1):
        day = moment.date() + timedelta(days=days)
        begin = datetime(day.year, day.month, day.day, begin_hour, tzinfo=SEOUL)
        end = begin + timedelta(hours=12)
        distance = begin - moment if moment < begin else moment - end if moment >= end else timedelta(0)
        rank = (distance, abs(moment - begin))
        if best is None or rank < best[0]:
            best = (rank, day)
    assert best is not None
    return best[1].isoformat()


def _rows(frame: Frame) -> list[Row]:
    return [
        {name: None if value != value else value for name, value in row.items()} for row in frame.to_dict("records")
    ]


def _numbers(rows: Sequence[Row], texts: Sequence[str], numbers: Sequence[str]) -> Frame:
    frame = pd.DataFrame(list(rows)).reindex(columns=[*texts, *numbers])
    for name in numbers:
        frame[name] = pd.to_numeric(frame[name])
    return frame


def _work_orders(rows: Sequence[Row]) -> Frame:
    texts = ["work_order_id", *KEY, "operator_id", "start_time", "end_time"]
    dated = [row | {"date": shift_date(row)} for row in rows]
    return _numbers(dated, texts, [*SUMS, "cycle_time_avg_sec"])


def production(rows: Sequence[Row]) -> list[Row]:
    """bi.fact_daily_production."""
    grouped = _work_orders(rows).groupby(KEY)
    facts: Frame = grouped[SUMS].sum(min_count=1)
    facts["work_order_count"] = grouped.size()
    operators: Frame = grouped["operator_id"].nunique()
    facts["operator_count"] = operators.where(operators > 0)
    facts["cycle_time_avg"] = grouped["cycle_time_avg_sec"].mean()
    facts["cycle_time_std"] = grouped["cycle_time_avg_sec"].std()
    return _rows(facts.reset_index())


def hourly(rows: Sequence[Row]) -> list[Row]:
    """bi.fact_hourly_production: each hour's share of what was made while the work order ran."""
    parts = [part for row in _work_orders(rows).to_dict("records") for part in _hours(row)]
    key = ["date", "hour_timestamp", "line_code", "product_code"]
    grouped = pd.DataFrame(parts).groupby(key)
    facts: Frame = grouped[SHARED].sum(min_count=1)
    facts["cycle_time_avg"] = grouped["cycle_time_avg_sec"].mean()
    return _rows(facts.reset_index())


def _hours(row: Row) -> Iterator[Row]:
    start = datetime.fromisoformat(row["start_time"]).astimezone(UTC)
    end = datetime.fromisoformat(row["end_time"]).astimezone(UTC)
    hour = start.replace(minute=0, second=0, microsecond=0)
    while True:
        following = hour + timedelta(hours=1)
        share = (min(end, following) - max(start, hour)) / (end - start) if end > start else 1
        yield {**row, "hour_timestamp": hour.isoformat(), **{name: row[name] * share for name in SHARED}}
        if following >= end:
            return
        hour = following


def defects(rows: Sequence[Row]) -> list[Row]:
    """bi.fact_daily_defect."""
    parts = [
        {**{name: row[name] for name in KEY[1:]}, "date": shift_date(row), "root_cause": None, "cost": None, **detail}
        for row in rows
        for detail in row.get("defect_details", ())
        if detail["qty"] > 0
    ]
    if not parts:
        return []
    frame = _numbers(parts, [*KEY, "type", "root_cause"], ["qty", "cost"]).rename(columns={"type": "defect_type"})
    grouped: Frame = frame.groupby([*KEY, "defect_type"])
    facts: Frame = grouped[["qty", "cost"]].sum(min_count=1)
    facts["root_cause"] = grouped["root_cause"].agg(lambda causes: "; ".join(sorted(set(causes.dropna()))) or None)
    return _rows(facts.reset_index().rename(columns={"qty": "defect_qty", "cost": "defect_cost"}))


def defect_trend(rows: Sequence[Row]) -> list[Row]:
    """bi.mv_defect_trend; seven days are calendar days of the line and product, whatever the shift."""
    made = production(rows)
    typed: dict[tuple[Any, ...], list[Row]] = {}
    for defect in defects(rows):
        typed.setdefault(tuple(defect[name] for name in KEY), []).append(defect)
    return [_trend(row, made, typed.get(tuple(row[name] for name in KEY), [])) for row in made]


def _trend(row: Row, made: Sequence[Row], types: Sequence[Row]) -> Row:
    day = datetime.fromisoformat(row["date"])
    first = (day - timedelta(days=6)).date().isoformat()
    week = [
        each
        for each in made
        if (each["line_code"], each["product_code"]) == (row["line_code"], row["product_code"])
        and first <= each["date"] <= row["date"]
    ]
    top = sorted(types, key=lambda each: (-each["defect_qty"], each["defect_type"]))
    return {
        **{name: row[name] for name in (*KEY, "total_qty", "defect_qty")},
        "defect_rate": _ratio(row["defect_qty"], row["total_qty"]),
        "defect_rate_7d_avg": _ratio(sum(e["defect_qty"] for e in week), sum(e["total_qty"] for e in week)),
        "top_defect_types": [{"type": each["defect_type"], "qty": each["defect_qty"]} for each in top],
        "untyped_defect_qty": row["defect_qty"] - sum(each["defect_qty"] for each in types),
    }


def oee(rows: Sequence[Row]) -> list[Row]:
    """bi.mv_oee_daily; pieces of unknown ideal cycle time make performance unknown, pieces without runtime do not."""
    frame = _work_orders(rows)
    frame["timed_qty"] = frame["total_qty"].where(frame["runtime_minutes"].notna())
    columns = ["total_qty", "good_qty", "defect_qty", "runtime_minutes", "downtime_minutes"]
    shown: list[Row] = []
    for (date, line, shift), group in frame.groupby(["date", "line_code", "shift"]):
        sums: Row = {name: group[name].sum(min_count=1) for name in columns}
        sums = {name: None if value != value else float(value) for name, value in sums.items()}
        timed: Frame = group[group["timed_qty"].notna()]
        unknown = any(
            qty > 0 and code not in IDEAL_SECONDS
            for qty, code in zip(timed["timed_qty"], timed["product_code"], strict=True)
        )
        ideal = None
        if len(timed) and not unknown:
            ideal = (timed["timed_qty"] * timed["product_code"].map(IDEAL_SECONDS).fillna(0)).sum() / 60
        shown.append({"date": date, "line_code": line, "shift": shift, **sums, **_ratios(sums, ideal)})
    return shown


def _ratios(sums: Row, ideal: float | None) -> Row:
    runtime, downtime = sums["runtime_minutes"], sums["downtime_minutes"]
    planned = None if runtime is None or downtime is None else runtime + downtime
    availability, performance = _ratio(runtime, planned), _ratio(ideal, runtime)
    quality = _ratio(sums["good_qty"], sums["total_qty"])
    known = None
    if availability is not None and performance is not None and quality is not None:
        known = availability * performance * quality
    return {"availability": availability, "performance": performance, "quality": quality, "oee": known}


def _ratio(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else part / whole


def orders(rows: Sequence[Row]) -> list[Row]:
    """bi.fact_order_daily."""
    parts = [
        {
            "date": row["delivery_date"],
            "product_code": row["product_code"],
            "customer_code": row["customer_code"],
            "ordered_qty": row["order_qty"],
            "delivered_qty": row.get("delivered_qty"),
            "delivered_on_time_qty": _on_time(row),
            "open_qty": _open(row),
        }
        for row in rows
    ]
    if not parts:
        return []
    key = ["date", "product_code", "customer_code"]
    frame = _numbers(parts, key, ["ordered_qty", "delivered_qty", "delivered_on_time_qty", "open_qty"])
    facts: Frame = frame.groupby(key).sum(min_count=1)
    facts["order_count"] = frame.groupby(key).size()
    return _rows(facts.reset_index())


def _on_time(row: Row) -> int | None:
    delivered = row.get("delivered_qty")
    if not delivered:
        return delivered
    return delivered if row["delivered_date"] <= row["delivery_date"] else 0


def _open(row: Row) -> int | None:
    if row.get("status") in ("cancelled", "closed"):
        return 0
    return max(row["order_qty"] - row["delivered_qty"], 0) if "delivered_qty" in row else None


def inventory(rows: Sequence[Row]) -> list[Row]:
    """bi.fact_inventory_snapshot; usage is the source's, else the mean issue of the 30 days up to the date."""
    shown: list[Row] = []
    for row in rows:
        day = row["snapshot_date"]
        first = (datetime.fromisoformat(day) - timedelta(days=29)).date().isoformat()
        place = (row["product_code"], row["location"])
        issues = [
            each["issue_qty"]
            for each in rows
            if (each["product_code"], each["location"]) == place
            and first <= each["snapshot_date"] <= day
            and "issue_qty" in each
        ]
        usage = row.get("avg_daily_usage", sum(issues) / len(issues) if issues else None)
        shown.append(
            {
                "date": day,
                "product_code": row["product_code"],
                "location": row["location"],
                "stock_qty": row["stock_qty"],
                "available_qty": row["stock_qty"] - row.get("reserved_qty", 0),
                "stock_value": row["stock_qty"] * row["unit_cost"] if "unit_cost" in row else None,
                "avg_daily_usage": usage,
                "coverage_days": _ratio(row["stock_qty"], usage),
            }
        )
    return shown


ORACLES: Mapping[str, tuple[str, tuple[str, ...], Callable[[Sequence[Row]], list[Row]]]] = {
    "bi.fact_daily_production": ("takt_mes_work_order", tuple(KEY), production),
    "bi.fact_hourly_production": (
        "takt_mes_work_order",
        ("date", "hour_timestamp", "line_code", "product_code"),
        hourly,
    ),
    "bi.fact_daily_defect": ("takt_mes_work_order", (*KEY, "defect_type"), defects),
    "bi.mv_defect_trend": ("takt_mes_work_order", tuple(KEY), defect_trend),
    "bi.mv_oee_daily": ("takt_mes_work_order", ("date", "line_code", "shift"), oee),
    "bi.fact_order_daily": ("takt_order", ("date", "product_code", "customer_code"), orders),
    "bi.fact_inventory_snapshot": ("takt_inventory", ("date", "product_code", "location"), inventory),
}
"""By relation: the mapping of its records, its key, its oracle."""
