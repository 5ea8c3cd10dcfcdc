"""What the planner must answer, worked out by pandas from the facts' rows; shares nothing with the planner."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd

LINES = {"L1": "A", "L2": "A", "L3": "B"}
PRODUCTS = {"P1": "pump", "P2": "valve"}
Frame = Any
"""A pandas DataFrame, whose types know less than we do."""


def total(frame: Frame, column: str) -> float | None:
    """A sum that skips nulls and is null when all are."""
    values = [float(value) for value in frame[column] if value is not None and not pd.isna(value)]
    return sum(values) if values else None


def over(above: float | None, below: float | None) -> float | None:
    """A division; null by zero or by what is unknown."""
    return None if above is None or not below else above / below


def product(*factors: float | None) -> float | None:
    """A product; null with a null in it."""
    result = 1.0
    for factor in factors:
        if factor is None:
            return None
        result *= factor
    return result


def plus(left: float | None, right: float | None) -> float | None:
    """A sum of two; null with a null in it."""
    return None if left is None or right is None else left + right


def ideal(frame: Frame) -> float | None:
    """Ideal minutes; unknown when one product made pieces and has no ideal cycle time."""
    minutes: list[float] = []
    for pieces, cycle in zip(frame["timed_qty"], frame["target_cycle_time"], strict=True):
        if pd.isna(pieces):
            continue
        if pieces > 0 and pd.isna(cycle):
            return None
        minutes.append(0.0 if pieces == 0 else float(pieces) * float(cycle) / 60)
    return sum(minutes) if minutes else None


def availability(frame: Frame) -> float | None:
    run = total(frame, "runtime_minutes")
    return over(run, plus(run, total(frame, "downtime_minutes")))


def performance(frame: Frame) -> float | None:
    return over(ideal(frame), total(frame, "runtime_minutes"))


def ratio(above: str, below: str) -> Callable[[Frame], float | None]:
    return lambda frame: over(total(frame, above), total(frame, below))


def reported(frame: Frame, column: str) -> float | None:
    """By pieces of the rows that report the column at all."""
    known = frame[frame[column].notna()]
    return over(total(known, column), total(known, "total_qty"))


def of_type(kind: str, column: str) -> Callable[[Frame], float | None]:
    return lambda frame: total(frame[frame["event_type"] == kind], column)


PRODUCTION: Mapping[str, Callable[[Frame], float | None]] = {
    "total_qty": lambda frame: total(frame, "total_qty"),
    "defect_rate": ratio("defect_qty", "total_qty"),
    "availability": availability,
    "performance": performance,
    "oee": lambda frame: product(availability(frame), performance(frame), ratio("good_qty", "total_qty")(frame)),
    "achievement": ratio("total_qty", "planned_qty"),
    "scrap_ratio": lambda frame: reported(frame, "scrap_qty"),
    "product_count": lambda frame: float(frame["product_code"].nunique()) if len(frame) else None,
    "work_order_count": lambda frame: total(frame, "work_order_count"),
}  # fmt: skip
EVENTS: Mapping[str, Callable[[Frame], float | None]] = {
    "breakdown_count": of_type("breakdown", "event_count"),
    "mttr": lambda frame: ratio("total_duration_minutes", "event_count")(frame[frame["event_type"] == "breakdown"]),
}  # fmt: skip
STOCK: Mapping[str, Callable[[Frame], float | None]] = {
    "stock_qty": lambda frame: total(frame, "stock_qty"),
    "below_safety_count": lambda frame: (
        float((frame["available_qty"] < frame["safety_stock_qty"]).sum()) if len(frame) else None
    ),
}
"""Of the last snapshot of the bucket; the caller picks its rows."""


def bucket(day: date, grain: str) -> date:
    """First day of the bucket, by pandas' own periods."""
    names = {"week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}
    if grain not in names:
        return day
    moment: Any = pd.Timestamp(day)
    return moment.to_period(names[grain]).start_time.date()


def with_dimensions(frame: Frame) -> Frame:
    """Plant and category beside line and product."""
    frame = frame.copy()
    if "line_code" in frame:
        frame["line"] = frame["line_code"]
        frame["plant"] = frame["line_code"].map(LINES)
    if "product_code" in frame:
        frame["product"] = frame["product_code"]
        frame["category"] = frame["product_code"].map(PRODUCTS)
    return frame.astype(object).where(frame.notna(), None)


Key = tuple[Any, ...]


def groups(frame: Frame, keys: Sequence[str], dates: Sequence[date]) -> dict[Key, Frame]:
    """Rows by key; `time` is one of the keys already made. Null meets null."""
    found: dict[Key, list[int]] = {}
    if not keys:
        return {(): frame}
    for number, row in enumerate(frame[list(keys)].itertuples(index=False, name=None)):
        found.setdefault(tuple(None if pd.isna(part) else part for part in row), []).append(number)
    return {key: frame.iloc[numbers] for key, numbers in found.items()}
