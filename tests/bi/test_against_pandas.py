"""Random requests over random facts: the planner's SQL and pandas give the same rows, totals and comparisons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.bi import reference
from tests.bi.plant import EVENT, PRODUCTION, STOCK, BiPlant

# Ends of months, a leap day, ISO weeks at the turn of the year (2025-12-29 begins week 1 of 2026), a year apart.
DAYS = [
    date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1), date(2025, 1, 30), date(2025, 1, 31), date(2025, 2, 27),
    date(2025, 2, 28), date(2025, 3, 1), date(2025, 12, 28), date(2025, 12, 29), date(2025, 12, 31), date(2026, 1, 1),
    date(2026, 1, 4), date(2026, 1, 5), date(2026, 3, 31), date(2026, 4, 29), date(2026, 4, 30), date(2026, 5, 1),
    date(2026, 5, 30), date(2026, 5, 31), date(2026, 6, 1),
]  # fmt: skip
EXAMPLES = 75
RECENT = st.sampled_from(DAYS[-7:])
LATE = st.sampled_from(DAYS[10:])
QUANTITY = st.one_of(st.none(), st.integers(0, 40))


def _sampled(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


@st.composite
def production(draw: st.DrawFn) -> dict[str, Any]:
    good, defect = draw(st.integers(0, 30)), draw(st.integers(0, 5))
    runtime = draw(st.one_of(st.none(), st.integers(0, 90)))
    return {
        "date": draw(st.one_of(LATE, st.sampled_from(DAYS))), "line_code": draw(_sampled("L1", "L2", "L3", "L9")),
        "product_code": draw(_sampled("P1", "P2", "P9")), "shift": draw(_sampled("day", "night")),
        "total_qty": good + defect, "good_qty": good, "defect_qty": defect, "runtime_minutes": runtime,
        "downtime_minutes": draw(st.one_of(st.none(), st.integers(0, 30))),
        "timed_qty": None if runtime is None else draw(st.integers(0, good + defect)),
        "target_cycle_time": draw(st.one_of(st.none(), st.integers(1, 60), st.integers(1, 60))),
        "planned_qty": draw(QUANTITY), "scrap_qty": draw(st.one_of(st.none(), st.integers(0, defect))),
        "work_order_count": draw(st.integers(1, 4)),
    }  # fmt: skip


@st.composite
def event(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "date": draw(st.sampled_from(DAYS)), "line_code": draw(_sampled("L1", "L3", None)),
        "equipment_code": draw(_sampled("M1", "M2")), "event_type": draw(_sampled("alarm", "breakdown")),
        "event_count": draw(st.integers(0, 3)), "open_event_count": 0, "severity_distribution": "{}",
        "total_duration_minutes": draw(QUANTITY),
    }  # fmt: skip


@st.composite
def snapshot(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "date": draw(st.sampled_from(DAYS)), "product_code": draw(_sampled("P1", "P2", "P9")),
        "location": draw(_sampled("W1", "W2")), "stock_qty": draw(st.integers(0, 99)),
        "available_qty": draw(QUANTITY), "safety_stock_qty": draw(QUANTITY),
    }  # fmt: skip


def _unique(rows: st.SearchStrategy[dict[str, Any]], *key: str, most: int) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(rows, max_size=most, unique_by=lambda row: tuple(row[name] for name in ("date", *key)))


FACTS = st.fixed_dictionaries(
    {
        PRODUCTION: _unique(production(), "line_code", "product_code", "shift", most=14),
        EVENT: _unique(event(), "equipment_code", "event_type", most=8),
        STOCK: _unique(snapshot(), "product_code", "location", most=8),
    }
)
KINDS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "production": (list(reference.PRODUCTION), ["line", "plant", "product", "category", "shift"]),
    "both": ([*reference.PRODUCTION, *reference.EVENTS], ["line", "plant"]),
    "stock": (list(reference.STOCK), ["product", "category", "location"]),
}
COLUMNS = {"shift": "shift", "location": "location"}


@st.composite
def request(draw: st.DrawFn) -> dict[str, Any]:
    metrics, dimensions = KINDS[draw(_sampled("production", "production", "both", "stock"))]
    near = draw(st.booleans())  # within the marts' windows
    first, last = sorted((draw(RECENT if near else st.sampled_from(DAYS)), draw(RECENT if near else LATE)))
    if draw(st.booleans()):  # whole months, whose period before is other than so many days
        first, last = first.replace(day=1), (pd.Timestamp(last) + pd.offsets.MonthEnd(0)).date()
    asked = {
        "metrics": draw(st.lists(st.sampled_from(metrics), min_size=1, max_size=4, unique=True)),
        "dimensions": draw(st.lists(st.sampled_from(dimensions), max_size=2, unique=True)),
        "time": (first, last),
        "grain": draw(_sampled(None, None, "day", "week", "month", "quarter", "year")),
        "totals": draw(st.booleans()),
        "compare": draw(_sampled(None, None, "previous_period", "previous_year")),
    }
    if draw(st.booleans()):
        field = draw(st.sampled_from(dimensions))
        values = {"line": ["L1", "L3"], "plant": ["A"], "product": ["P1"], "category": ["valve"], "shift": ["day"],
                  "location": ["W1"]}[field]  # fmt: skip
        asked["filters"] = [{"field": field, "operator": draw(_sampled("in", "not_in")), "values": values}]
    asked["fill"] = draw(st.booleans()) and asked["grain"] is not None
    return asked


@dataclass
class Oracle:
    """The facts as pandas frames, and the answer to a request from them."""

    facts: Mapping[str, list[dict[str, Any]]]

    def answer(self, asked: Mapping[str, Any]) -> tuple[dict[reference.Key, dict[str, Any]], dict[str, Any]]:
        """Rows by key, and the totals."""
        rows: dict[reference.Key, dict[str, Any]] = {}
        totals: dict[str, Any] = {}
        for metric in asked["metrics"]:
            for ending, earlier in (("", False), ("__previous", True)):
                if earlier and not asked["compare"]:
                    continue
                by_key, whole = self._metric(metric, asked, earlier=earlier)
                totals[metric + ending] = whole
                for key, value in by_key.items():
                    rows.setdefault(key, {})[metric + ending] = value
        return rows, totals

    def _metric(self, metric: str, asked: Mapping[str, Any], *, earlier: bool) -> tuple[dict[Any, Any], Any]:
        relation, compute = next(
            (relation, known[metric])
            for relation, known in (
                (PRODUCTION, reference.PRODUCTION), (EVENT, reference.EVENTS), (STOCK, reference.STOCK)
            )
            if metric in known
        )  # fmt: skip
        frame = self._within(relation, asked, earlier=earlier)
        is_stock = relation == STOCK
        frame["newest"] = frame["date"].max() if len(frame) else None
        if asked["grain"] and len(frame):
            frame["time"] = frame["moved"].map(lambda day: reference.bucket(day, asked["grain"]))
            frame["newest_in_bucket"] = frame.groupby("time")["date"].transform("max")
        else:
            frame["time"], frame["newest_in_bucket"] = None, frame["newest"]
        for test in asked.get("filters", ()):
            hit = frame[test["field"]].isin(test["values"])
            frame = frame[hit if test["operator"] == "in" else ~hit]
        keys = [*(["time"] if asked["grain"] else []), *asked["dimensions"]]
        by_key: dict[Any, Any] = {}
        for key, group in reference.groups(frame, keys, ()).items():
            by_key[key] = compute(self._last(group, group, is_stock, asked))
        return by_key, compute(frame[frame["date"] == frame["newest"]] if is_stock else frame)

    def _last(self, group: Any, counted: Any, is_stock: bool, asked: Mapping[str, Any]) -> Any:
        if not is_stock:
            return group
        return group[group["date"] == group["newest_in_bucket" if asked["grain"] else "newest"]]

    def _within(self, relation: str, asked: Mapping[str, Any], *, earlier: bool) -> Any:
        """Rows of the asked or of the earlier range, with the date moved onto the asked one."""
        frame = reference.with_dimensions(pd.DataFrame(self.facts[relation], columns=EVERY_COLUMN[relation]))
        first, last = asked["time"]
        months, days = self._step(asked) if earlier else (0, 0)
        offset = pd.DateOffset(months=months, days=days)
        edges: list[Any] = [pd.Timestamp(first), pd.Timestamp(last)]
        start, end = ((edge - offset).date() for edge in edges)
        if months and last == (pd.Timestamp(last) + pd.offsets.MonthEnd(0)).date():
            end = (pd.Timestamp(end) + pd.offsets.MonthEnd(0)).date()
        frame = _kept(frame, [start <= day <= end for day in frame["date"]])
        frame["moved"] = [(pd.Timestamp(day) + offset).date() for day in frame["date"]]
        if months and asked["grain"] == "day":
            frame = _kept(frame, [a.day == b.day for a, b in zip(frame["date"], frame["moved"], strict=True)])
        return frame

    def _step(self, asked: Mapping[str, Any]) -> tuple[int, int]:
        first, last = asked["time"]
        length = (last - first).days + 1
        if asked["compare"] == "previous_year":
            return (0, 364) if asked["grain"] == "week" else (12, 0)
        if asked["grain"] == "week":
            return 0, (length + 6) // 7 * 7
        if first.day == 1 and (last + timedelta(days=1)).day == 1:
            return (last.year - first.year) * 12 + last.month - first.month + 1, 0
        return 0, length


EVERY_COLUMN = {
    PRODUCTION: ["date", "line_code", "product_code", "shift", "total_qty", "good_qty", "defect_qty", "runtime_minutes",
                 "downtime_minutes", "timed_qty", "target_cycle_time", "planned_qty", "scrap_qty", "work_order_count"],
    EVENT: ["date", "line_code", "equipment_code", "event_type", "event_count", "total_duration_minutes"],
    STOCK: ["date", "product_code", "location", "stock_qty", "available_qty", "safety_stock_qty"],
}  # fmt: skip


def _kept(frame: Any, keep: list[bool]) -> Any:
    return frame.loc[pd.Series(keep, index=frame.index, dtype=bool)].copy()


def _same(found: Any, expected: Any) -> bool:
    if found is None or expected is None:
        return found is None and expected is None
    return float(found) == pytest.approx(float(expected), rel=1e-9, abs=1e-9)


def check(plant: BiPlant, oracle: Oracle, asked: dict[str, Any]) -> None:
    """The planner's answer is the oracle's."""
    answer = plant.ask(*asked["metrics"], **{name: value for name, value in asked.items() if name != "metrics"})
    names = [column.name for column in answer.columns]
    width = len(asked["dimensions"]) + bool(asked["grain"])
    found = {row[:width]: dict(zip(names[width:], row[width:], strict=True)) for row in answer.rows}
    assert len(found) == len(answer.rows), "a key came twice"
    rows, totals = oracle.answer(asked)
    if asked["fill"]:
        times = {reference.bucket(asked["time"][0] + timedelta(days=n), asked["grain"])
                 for n in range((asked["time"][1] - asked["time"][0]).days + 1)}  # fmt: skip
        known = {key[1:] for key in rows} if asked["dimensions"] else {()}
        for key in ((time, *rest) for time in times for rest in known):
            rows.setdefault(key, {})
    assert found.keys() == rows.keys(), answer.explanation.sql
    for key, expected in rows.items():
        for name in names[width:]:
            if not name.endswith(("__change", "__change_ratio")):
                assert _same(found[key][name], expected.get(name)), (key, name, found[key], expected)
            elif name.endswith("__change"):
                now, before = found[key][name[:-8]], found[key][f"{name[:-8]}__previous"]
                assert _same(found[key][name], None if now is None or before is None else now - before)
    if answer.totals is not None:
        for name, value in totals.items():
            assert _same(answer.totals[names.index(name)], value), (name, answer.totals, totals)


def test_random_requests_over_random_facts_give_what_pandas_gives(module_plant: BiPlant) -> None:
    @settings(max_examples=EXAMPLES, phases=[Phase.explicit, Phase.generate])
    @given(facts=FACTS, requests=st.lists(request(), min_size=4, max_size=8))
    def holds(facts: dict[str, list[dict[str, Any]]], requests: list[dict[str, Any]]) -> None:
        module_plant.clear()
        for relation, rows in facts.items():
            module_plant.put(relation, rows)
        module_plant.publish(min(DAYS), max(DAYS))
        for asked in requests:
            check(module_plant, Oracle(facts), dict(asked))

    holds()
