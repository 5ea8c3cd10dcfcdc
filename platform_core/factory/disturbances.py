"""How records reach us: late, twice, corrected, moved to another date, in the wrong order, broken.

What is true is the simulated record; a disturbance only makes up what was sent before it, or beside it.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from random import Random

from platform_core.factory.contracts import (
    Delivery,
    Feed,
    History,
    Order,
    Period,
    Plant,
    Stock,
    WorkOrder,
)
from platform_core.factory.logistics import orders_of, stocks_of
from platform_core.factory.production import dates_of, events_of, maintenance_of_day, story_of, work_orders_of_day

# Of every 53 work orders of a feed, these meet with something. Feeds without a version can't tell old from new.
_CYCLE = 53
_DISTURBED: dict[Feed, dict[int, str]] = {
    "mes_json": {
        4: "late",
        11: "corrected",
        17: "twice",
        20: "again",
        26: "moved",
        33: "stale",
        41: "broken_correction",
    },
    "mes_csv": {4: "late", 11: "corrected", 17: "twice", 26: "moved"},
    "daily_report": {4: "late", 11: "corrected"},
}
BROKEN_WORK_ORDERS = (
    "MISSING_FIELD",
    "WRONG_TYPE",
    "NEGATIVE",
    "TOTAL_MISMATCH",
    "END_BEFORE_START",
    "BEFORE_FIRST_DATE",
    "IN_FUTURE",
    "UNREADABLE",
    "NO_KEY",
    "BAD_VERSION",
)
"""Reason codes of the rows that cannot be used; they come from the first line's system."""
_NEXT = timedelta(days=1)


def make_history(plant: Plant, period: Period) -> History:
    """Everything that happens in one plant, and everything that its systems send about it."""
    history = History(plant)
    _produce(history, period)
    for stock in stocks_of(plant, period):
        history.stocks.append(stock)
        history.deliveries += _deliver_stock(stock, period)
    for number, (taken, after) in enumerate(orders_of(plant, period)):
        history.orders.append(after or taken)
        history.deliveries += _deliver_order(plant, taken, after, number, period)
    story = story_of(plant)
    history.story = {"breakdown_line": story.breakdown_line, "drift_line": story.drift_line, "understocked": "P002"}
    return history


def _produce(history: History, period: Period) -> None:
    plant = history.plant
    counters: dict[Feed, int] = dict.fromkeys(_DISTURBED, 0)
    broken = 0
    for day in dates_of(period):
        for line in plant.lines:
            random = Random(f"{period.seed}/{plant.slug}/{line.code}/{day}/events")
            for order in work_orders_of_day(plant, line, day, period):
                kind = _DISTURBED[line.feed].get(counters[line.feed] % _CYCLE)
                counters[line.feed] += 1
                truth, deliveries = _deliver_work_order(order, kind, period, line.feed)
                history.work_orders.append(truth)
                history.deliveries += deliveries
                _happen(history, order, random, period)
                if line is plant.lines[0] and _has_broken_row(order, period):
                    history.deliveries.append(_broken(order, BROKEN_WORK_ORDERS[broken % len(BROKEN_WORK_ORDERS)]))
                    broken += 1
            if planned := maintenance_of_day(plant, line, day, period):
                event, interval = planned
                history.intervals.append(interval)
                history.deliveries.append(Delivery(day, event, "landed"))


def _has_broken_row(order: WorkOrder, period: Period) -> bool:
    """One row in two days cannot be used, two a day in the last five, so that these show each kind."""
    days_left = (period.last - order.day).days
    return order.id.endswith(("D01", "N01") if days_left < 5 else "D01" if days_left % 2 else "-")


def _broken(order: WorkOrder, reason: str) -> Delivery:
    return Delivery(order.day, replace(order, id=f"{order.id}X"), "rejected", reason)


def _deliver_work_order(
    order: WorkOrder, kind: str | None, period: Period, feed: Feed
) -> tuple[WorkOrder, list[Delivery]]:
    """The record as it is true in the end, and what was sent about it."""
    day = order.day
    later = day + _NEXT
    final = replace(order, version=order.version + _NEXT)
    if kind == "twice":
        return order, [Delivery(day, order, "landed"), Delivery(day, order, "unchanged")]
    if kind == "late":
        return order, [Delivery(min(day + 2 * _NEXT, period.last), order, "landed")]
    if later > period.last or kind is None or (kind == "moved" and day == period.first):
        return order, [Delivery(day, order, "landed")]
    if kind == "again":
        return order, [Delivery(day, order, "landed"), Delivery(later, order, "unchanged")]
    if kind == "corrected":
        return final, [Delivery(day, _misreported(order), "landed"), Delivery(later, final, "corrected")]
    if kind == "moved":
        return final, [Delivery(day, _misdated(order), "landed"), Delivery(later, final, "corrected")]
    if kind == "stale":
        return final, [Delivery(day, final, "landed"), Delivery(later, _misreported(order), "outdated")]
    bad = replace(order, version=order.version + _NEXT)
    return order, [Delivery(day, order, "landed"), Delivery(later, bad, "rejected", "NEGATIVE")]


def _misreported(order: WorkOrder) -> WorkOrder:
    """The same work order with good pieces missing, as first counted."""
    missing = min(25, order.good)
    return replace(order, total=order.total - missing, good=order.good - missing)


def _misdated(order: WorkOrder) -> WorkOrder:
    return replace(order, day=order.day - _NEXT, start=order.start - _NEXT, end=order.end - _NEXT)


def _happen(history: History, order: WorkOrder, random: Random, period: Period) -> None:
    """What the equipment reports during a work order; now and then the end of a stop comes with the next file."""
    events, intervals = events_of(order, random)
    history.intervals += intervals
    for event in events:
        is_late = event.phase == "end" and random.random() < 0.1
        history.deliveries.append(Delivery(_until(period, order.day + _NEXT * is_late), event, "landed"))
        if event.phase == "start" and random.random() < 0.05:
            history.deliveries.append(Delivery(order.day, event, "unchanged"))
        if event.phase == "start" and random.random() < 0.03:
            unknown = replace(event, id=f"{event.id}X", type="explosion")
            history.deliveries.append(Delivery(order.day, unknown, "rejected", "NOT_ALLOWED"))


def _until(period: Period, day: date) -> date:
    return min(day, period.last)


def _deliver_stock(stock: Stock, period: Period) -> Iterator[Delivery]:
    """One count in eleven or so is done again, and the new count comes with the next day's file."""
    recounted = (stock.day.toordinal() + int(stock.product[1:]) * 3) % 11 == 0
    if recounted and stock.day < period.last:
        yield Delivery(stock.day, replace(stock, stock=stock.stock + 7), "landed")
        yield Delivery(stock.day + _NEXT, stock, "corrected")
    else:
        yield Delivery(stock.day, stock, "landed")


def _deliver_order(plant: Plant, taken: Order, after: Order | None, number: int, period: Period) -> Iterator[Delivery]:
    day = taken.created_at.astimezone(plant.zone).date()
    yield Delivery(day, taken, "landed")
    if number % 17 == 5:
        yield Delivery(_until(period, day), replace(taken, id=f"{taken.id}X", quantity=-50), "rejected", "NEGATIVE")
    if after is not None:
        yield Delivery(after.version.astimezone(plant.zone).date(), after, "corrected")
