"""Records as the rows that each system writes: field names, local times, and what a broken row looks like."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from platform_core.factory.contracts import Delivery, EquipmentEvent, Json, Order, Plant, Stock, WorkOrder

DEFECTS_KO = {
    "missing_part": "부품누락",
    "misalignment": "조립불량",
    "dimension": "치수불량",
    "burr": "버",
    "label": "라벨불량",
    "seal": "씰링불량",
    "scratch": "스크래치",
    "stain": "오염",
}
"""What the plant's Korean systems call the defect types."""

STOPS_KO = {"setup": "품목교체", "breakdown": "고장", "material_wait": "자재대기", "minor_stop": "순간정지"}
"""What they call the reasons for stops."""


def local(moment: datetime, zone: ZoneInfo) -> str:
    """ISO 8601 with the plant's offset, to the second."""
    return moment.astimezone(zone).isoformat(timespec="seconds")


def naive(moment: datetime, zone: ZoneInfo) -> str:
    """Plant-local time without offset, as old systems write it."""
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def mes_work_order(order: WorkOrder, zone: ZoneInfo) -> Json:
    """The MES payload of requirements 3.1, with its change time."""
    return {
        "work_order_id": order.id,
        "line_code": order.line,
        "equipment_code": order.equipment,
        "product_code": order.product,
        "shift": order.shift,
        "operator_id": order.operator,
        "status": "completed",
        "start_time": local(order.start, zone),
        "end_time": local(order.end, zone),
        "total_qty": order.total,
        "good_qty": order.good,
        "defect_qty": order.defect,
        "rework_qty": order.rework,
        "scrap_qty": order.scrap,
        "planned_qty": order.planned,
        "defect_details": [{"type": kind, "qty": quantity} for kind, quantity in order.defects],
        "cycle_time_avg_sec": order.cycle,
        "runtime_minutes": order.runtime,
        "downtime_minutes": order.downtime,
        "downtime_reasons": [{"reason": reason, "minutes": minutes} for reason, minutes in order.stops],
        "quality_checks": [{"checkpoint": "visual", "pass": order.good * 20 >= order.total * 19}],
        "updated_at": local(order.version, zone),
    }


def equipment_event(event: EquipmentEvent, zone: ZoneInfo) -> Json:
    """One message of an equipment; what it does not know is not in it."""
    row = {
        "event_id": event.id,
        "equipment_code": event.equipment,
        "line_code": event.line,
        "event_type": event.type,
        "phase": event.phase,
        "pair_id": event.pair,
        "timestamp": local(event.at, zone),
        "end_timestamp": local(event.until, zone) if event.until else None,
        "alarm_code": event.alarm,
        "severity": event.severity,
        "message": event.message,
    }
    return {name: value for name, value in row.items() if value is not None}


def stock(row: Stock) -> Json:
    """One line of the warehouse's daily list."""
    return {
        "product_code": row.product,
        "location": row.location,
        "snapshot_date": row.day.isoformat(),
        "stock_qty": row.stock,
        "safety_stock_qty": row.safety,
        "reserved_qty": row.reserved,
        "in_transit_qty": row.in_transit,
        "issue_qty": row.issued,
        "avg_daily_usage": row.usage,
        "unit_cost": row.unit_cost,
        "last_receipt_date": row.last_receipt.isoformat() if row.last_receipt else None,
        "last_issue_date": row.last_issue.isoformat() if row.last_issue else None,
    }


def order(row: Order, zone: ZoneInfo) -> Json:
    """A customer's order as it stood at its change time."""
    return {
        "order_id": row.id,
        "customer_code": row.customer,
        "product_code": row.product,
        "order_qty": row.quantity,
        "delivered_qty": row.delivered,
        "delivery_date": row.due.isoformat(),
        "delivered_date": row.delivered_on.isoformat() if row.delivered_on else None,
        "priority": row.priority,
        "status": row.status,
        "created_at": local(row.created_at, zone),
        "updated_at": local(row.version, zone),
    }


def payload_of(delivery: Delivery, plant: Plant) -> Json:
    """The row of any record in its plainest form, broken where the delivery says so."""
    record = delivery.record
    if isinstance(record, WorkOrder):
        row = mes_work_order(record, plant.zone)
    elif isinstance(record, EquipmentEvent):
        row = equipment_event(record, plant.zone)
    elif isinstance(record, Stock):
        row = stock(record)
    else:
        row = order(record, plant.zone)
    if delivery.reason in _BREAK:
        _BREAK[delivery.reason](row)
    return row


def json_line(delivery: Delivery, plant: Plant) -> str:
    """One JSON line; an UNREADABLE one was cut off by a full disk."""
    text = json.dumps(payload_of(delivery, plant), ensure_ascii=False)
    return text[: len(text) // 2] if delivery.reason == "UNREADABLE" else text


def _shift_years(row: Json, years: int) -> None:
    for name in ("start_time", "end_time"):
        moment = datetime.fromisoformat(row[name])
        row[name] = (moment + timedelta(days=365 * years)).isoformat()


def _make_negative(row: Json) -> None:
    name = "downtime_minutes" if "downtime_minutes" in row else "order_qty"
    row[name] = -5


def _set(**values: Any) -> Callable[[Json], None]:
    def apply(row: Json) -> None:
        row.update(values)

    return apply


def _swap_times(row: Json) -> None:
    row["start_time"], row["end_time"] = row["end_time"], row["start_time"]


def _miscount(row: Json) -> None:
    row["good_qty"] += 7


def _without_product(row: Json) -> None:
    del row["product_code"]


def _without_key(row: Json) -> None:
    del row["work_order_id"]


# What makes a row fail with a reason code. NOT_ALLOWED is in the record itself, UNREADABLE in the text.
_BREAK: dict[str | None, Callable[[Json], None]] = {
    "MISSING_FIELD": _without_product,
    "WRONG_TYPE": _set(total_qty="twelve"),
    "NEGATIVE": _make_negative,
    "TOTAL_MISMATCH": _miscount,
    "END_BEFORE_START": _swap_times,
    "BEFORE_FIRST_DATE": lambda row: _shift_years(row, -30),
    "IN_FUTURE": lambda row: _shift_years(row, 150),
    "NO_KEY": _without_key,
    "BAD_VERSION": _set(updated_at="soon"),
}
