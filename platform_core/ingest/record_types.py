"""The canonical payload of each record type: what every mapping produces and staging reads.

Quantities are pieces unless the product's unit says otherwise, times are ISO 8601 with offset, durations minutes unless
the name says otherwise. A field that a source does not carry is absent or null, never 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

FieldType = Literal["text", "integer", "number", "boolean", "date", "time", "timestamp", "json"]


@dataclass(frozen=True)
class Field:
    """One field of a canonical payload."""

    type: FieldType
    required: bool = False
    minimum: float | None = None
    values: tuple[str, ...] | None = None


@dataclass(frozen=True)
class RecordType:
    """A kind of record. `dated` ones land in core.erp_mes_data, the others (master data) in core.master_record."""

    name: str
    fields: Mapping[str, Field]
    key: tuple[str, ...]
    """Payload fields that make source_pk where the mapping names no key."""
    dated: bool = True
    date_field: str | None = None
    """Where business_date comes from: a timestamp field goes through zone and shift, a date field is taken as it is."""
    future_days: int = 1
    """How far ahead of the plant's today a business date may lie."""


_TEXT = Field("text")
_KEY = Field("text", required=True)
_QTY = Field("number", minimum=0)
_QTY_REQUIRED = Field("number", required=True, minimum=0)
_MINUTES = Field("number", minimum=0)
_TIME = Field("timestamp")
_DATE = Field("date")
_JSON = Field("json")
_FLAG = Field("boolean")
_NUMBER = Field("number")

DETAILS: Mapping[tuple[str, str], Mapping[str, Field]] = {
    ("work_order", "defect_details"): {
        "type": _KEY,
        "qty": _QTY_REQUIRED,
        "cost": _QTY,
        "root_cause": _TEXT,
        "countermeasure": _TEXT,
        "responsible_dept": _TEXT,
    },
    ("work_order", "downtime_reasons"): {"reason": _KEY, "minutes": _QTY_REQUIRED},  # `setup` is part of downtime too
    ("work_order", "quality_checks"): {"checkpoint": _KEY, "pass": Field("boolean", required=True), "comment": _TEXT},
}
"""The fields that each entry of a list has, by record type and field."""

WORK_ORDER = RecordType(
    name="work_order",
    key=("work_order_id",),
    date_field="start_time",
    fields={
        "work_order_id": _KEY,
        "line_code": _KEY,
        "equipment_code": _TEXT,
        "product_code": _KEY,
        "shift": _TEXT,
        "operator_id": _TEXT,
        "status": _TEXT,
        "start_time": Field("timestamp", required=True),
        "end_time": Field("timestamp", required=True),
        "total_qty": _QTY_REQUIRED,
        "good_qty": _QTY_REQUIRED,
        "defect_qty": _QTY_REQUIRED,
        "rework_qty": _QTY,
        "scrap_qty": _QTY,
        "planned_qty": _QTY,
        "defect_details": _JSON,
        "cycle_time_avg_sec": _QTY,
        "runtime_minutes": _MINUTES,
        "downtime_minutes": _MINUTES,
        "downtime_reasons": _JSON,
        "quality_checks": _JSON,
    },
)

ORDER = RecordType(
    name="order",
    key=("order_id",),
    date_field="delivery_date",
    future_days=730,
    fields={
        "order_id": _KEY,
        "customer_code": _KEY,
        "product_code": _KEY,
        "order_qty": _QTY_REQUIRED,
        "delivered_qty": _QTY,
        "delivery_date": Field("date", required=True),  # due
        "delivered_date": _DATE,  # when the last delivery went out
        "priority": _TEXT,
        "status": _TEXT,
        "created_at": _TIME,
    },
)

INVENTORY = RecordType(
    name="inventory",
    key=("product_code", "location", "snapshot_date"),
    date_field="snapshot_date",
    fields={
        "product_code": _KEY,
        "location": _KEY,
        "snapshot_date": Field("date", required=True),
        "stock_qty": _QTY_REQUIRED,
        "safety_stock_qty": _QTY,
        "reserved_qty": _QTY,
        "in_transit_qty": _QTY,
        "issue_qty": _QTY,  # issued on that day
        "avg_daily_usage": _QTY,
        "unit_cost": _QTY,
        "last_receipt_date": _DATE,
        "last_issue_date": _DATE,
    },
)

EQUIPMENT_EVENT = RecordType(
    name="equipment_event",
    key=("event_id",),
    date_field="timestamp",
    fields={
        "event_id": _KEY,
        "equipment_code": _KEY,
        "line_code": _TEXT,
        "event_type": Field("text", required=True, values=("alarm", "breakdown", "maintenance", "setup", "idle")),
        "phase": Field("text", values=("start", "end", "point")),  # absent: an interval if end_timestamp, else point
        "pair_id": _TEXT,  # what start and end share; absent: next end of the same equipment, type and alarm code
        "timestamp": Field("timestamp", required=True),
        "end_timestamp": _TIME,
        "alarm_code": _TEXT,
        "severity": _TEXT,
        "message": _TEXT,
        "value": _NUMBER,
        "threshold": _NUMBER,
    },
)

LINE = RecordType(
    name="line",
    key=("line_code",),
    dated=False,
    fields={
        "line_code": _KEY,
        "name": _KEY,
        "category": Field("text", values=("assembly", "processing", "packaging", "inspection", "warehouse")),
        "capacity_per_hour": _QTY,
        "capacity_unit": _TEXT,
        "timezone": _TEXT,
        "plant_code": _TEXT,
        "department": _TEXT,
        "manager": _TEXT,
        "cost_center": _TEXT,
        "attributes": _JSON,
        "is_active": _FLAG,
        "activated_at": _DATE,
        "deactivated_at": _DATE,
    },
)

PRODUCT = RecordType(
    name="product",
    key=("product_code",),
    dated=False,
    fields={
        "product_code": _KEY,
        "name": _KEY,
        "name_en": _TEXT,
        "spec": _TEXT,
        "category": _TEXT,
        "subcategory": _TEXT,
        "unit": _TEXT,
        "standard_cost": _QTY,
        "target_cycle_time_sec": _QTY,
        "quality_standard": _TEXT,
        "attributes": _JSON,
        "is_active": _FLAG,
        "activated_at": _DATE,
        "discontinued_at": _DATE,
    },
)

EQUIPMENT = RecordType(
    name="equipment",
    key=("equipment_code",),
    dated=False,
    fields={
        "equipment_code": _KEY,
        "line_code": _KEY,
        "name": _KEY,
        "equipment_type": Field("text", values=("machine", "robot", "conveyor", "inspection", "utility")),
        "vendor": _TEXT,
        "model": _TEXT,
        "serial_number": _TEXT,
        "install_date": _DATE,
        "warranty_expiry_date": _DATE,
        "maintenance_cycle_days": Field("integer", minimum=0),
        "last_maintenance_date": _DATE,
        "next_maintenance_date": _DATE,
        "mtbf_hours": _QTY,
        "mttr_hours": _QTY,
        "attributes": _JSON,
        "is_active": _FLAG,
    },
)

SHIFT = RecordType(
    name="shift",
    key=("plant_code", "shift_code", "valid_from"),
    dated=False,
    fields={
        "plant_code": _TEXT,  # absent: every plant without shifts of its own
        "shift_code": _KEY,
        "valid_from": _DATE,  # absent: always
        "name": _KEY,
        "start_time": Field("time", required=True),
        "end_time": Field("time", required=True),
        "is_night_shift": _FLAG,
        "shift_order": Field("integer", minimum=1),
    },
)

CYCLE_TIME = RecordType(
    name="cycle_time",
    key=("line_code", "product_code", "valid_from"),
    dated=False,
    fields={
        "line_code": _KEY,
        "product_code": _KEY,
        "valid_from": _DATE,  # absent: always
        "ideal_cycle_sec": Field("number", required=True, minimum=0.001),
    },
)

KPI = RecordType(
    name="kpi",
    key=("kpi_code",),
    dated=False,
    fields={
        "kpi_code": _KEY,
        "name": _KEY,
        "name_en": _TEXT,
        "category": Field(
            "text",
            required=True,
            values=("quality", "production", "efficiency", "cost", "safety", "inventory"),
        ),
        "unit": _TEXT,
        "description": _TEXT,
        "calculation_method": _TEXT,
        "default_target": _NUMBER,
        "green_threshold": _NUMBER,
        "yellow_threshold": _NUMBER,
        "red_threshold": _NUMBER,
        "higher_is_better": _FLAG,
        "aggregation_method": Field("text", values=("sum", "avg", "min", "max", "last")),
        "attributes": _JSON,
        "is_active": _FLAG,
    },
)

RECORD_TYPES: Mapping[str, RecordType] = {
    kind.name: kind
    for kind in (
        WORK_ORDER,
        ORDER,
        INVENTORY,
        EQUIPMENT_EVENT,
        LINE,
        PRODUCT,
        EQUIPMENT,
        SHIFT,
        CYCLE_TIME,
        KPI,
    )
}


def staging_model(record_type: str) -> str:
    """The staging relation that a dated record type feeds, for example `staging.stg_work_order`."""
    return f"staging.stg_{record_type}"


def stored_key(kind: RecordType, payload: Mapping[str, Any]) -> str:
    """The key that a payload has of itself, whatever a mapping names; master data is stored under it."""
    return "|".join(str(payload.get(name) or "") for name in kind.key)
