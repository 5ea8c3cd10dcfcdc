"""What the mock ERP knows: the present state of every record, by plant and resource, with its change time."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from operator import itemgetter

from platform_core.factory.contracts import EquipmentEvent, Feed, History, Interval, Json, Plant, WorkOrder
from platform_core.factory.rows import DEFECTS_KO, equipment_event, local, mes_work_order, naive, order, stock

_DETAILS = ("rework_qty", "scrap_qty", "cycle_time_avg_sec")
_UNREPORTED: Mapping[Feed, tuple[str, ...]] = {
    "mes_json": (),
    "mes_csv": (*_DETAILS, "planned_qty"),
    "daily_report": (*_DETAILS, "operator_id"),
}
"""What a line's own system does not tell, the ERP does not know either."""


def resources_of(history: History) -> dict[str, list[Json]]:
    """Rows by resource name, oldest change first; every row has its change time in `updated_at` or `modified`."""
    makers: dict[str, Callable[[History], list[Json]]] = {
        "work_orders": _work_orders,
        "orders": lambda one: [order(each, one.plant.zone) for each in one.orders],
        "inventory": _inventory,
        "equipment_events": _events,
        "Work Order": lambda one: [_erpnext_work_order(each, one.plant) for each in one.work_orders],
        "Job Card": lambda one: [_erpnext_job_card(each, one.plant) for each in one.work_orders],
        "Downtime Entry": lambda one: [
            _erpnext_downtime(each, one.plant) for each in one.intervals if each.type == "breakdown"
        ],
    }
    resources: dict[str, list[Json]] = {}
    for name, make in makers.items():
        field = change_field(name)
        resources[name] = sorted(make(history), key=itemgetter(field))
    return resources


def change_field(resource: str) -> str:
    """The field with the change time: `modified` as ERPNext has it, else `updated_at`."""
    return "modified" if resource[0].isupper() else "updated_at"


def _work_orders(history: History) -> list[Json]:
    feeds: dict[str, Feed] = {line.code: line.feed for line in history.plant.lines}
    rows: list[Json] = []
    for each in history.work_orders:
        row = mes_work_order(each, history.plant.zone)
        for name in _UNREPORTED[feeds[each.line]]:
            del row[name]
        if feeds[each.line] != "mes_json":
            row["defect_details"] = [{"type": DEFECTS_KO[kind], "qty": number} for kind, number in each.defects]
        rows.append(row | {"updated_at": local(each.version, history.plant.zone)})
    return rows


def _inventory(history: History) -> list[Json]:
    zone = history.plant.zone
    rows: list[Json] = []
    for each in history.stocks:
        taken = datetime.combine(each.day, datetime.min.time(), zone) + timedelta(hours=23)
        rows.append(stock(each) | {"updated_at": local(taken, zone)})
    return rows


def _events(history: History) -> list[Json]:
    zone = history.plant.zone
    return [
        equipment_event(each.record, zone) | {"updated_at": local(each.record.until or each.record.at, zone)}
        for each in history.deliveries
        if isinstance(each.record, EquipmentEvent) and each.outcome == "landed"
    ]


def _erpnext_work_order(each: WorkOrder, plant: Plant) -> Json:
    return {
        "name": each.id,
        "docstatus": 1,
        "status": "Completed",
        "company": plant.display_name,
        "production_item": each.product,
        "item_name": plant.products[each.product].name,
        "qty": float(each.planned),
        "produced_qty": float(each.good),
        "process_loss_qty": float(each.defect),
        "planned_start_date": naive(each.start, plant.zone),
        "planned_end_date": naive(each.end, plant.zone),
        "actual_start_date": naive(each.start, plant.zone),
        "actual_end_date": naive(each.end, plant.zone),
        "wip_warehouse": f"{each.line} - {plant.plant_code}",
        "operations": [{"idx": 1, "workstation": each.line, "actual_operation_time": each.runtime}],
        "modified": _modified(each.version, plant),
    }


def _erpnext_job_card(each: WorkOrder, plant: Plant) -> Json:
    stop = each.end - timedelta(minutes=each.downtime)
    return {
        "name": f"PO-JOB-{each.id[3:]}",
        "docstatus": 1,
        "status": "Completed",
        "company": plant.display_name,
        "work_order": each.id,
        "production_item": each.product,
        "operation": each.line,
        "workstation": each.line,
        "workstation_type": each.equipment,
        "for_quantity": float(each.planned),
        "total_completed_qty": float(each.good),
        "process_loss_qty": float(each.defect),
        "posting_date": each.day.isoformat(),
        "actual_start_date": naive(each.start, plant.zone),
        "actual_end_date": naive(each.end, plant.zone),
        "total_time_in_mins": each.runtime,
        "time_logs": [
            {
                "from_time": naive(each.start, plant.zone),
                "to_time": naive(stop, plant.zone),
                "time_in_mins": each.runtime,
                "completed_qty": float(each.good),
                "employee": each.operator,
            }
        ],
        "modified": _modified(each.version, plant),
    }


def _erpnext_downtime(each: Interval, plant: Plant) -> Json:
    end = each.end or each.start
    return {
        "name": f"DT-{each.equipment}-{each.start.astimezone(UTC):%Y%m%d%H%M}",
        "docstatus": 1,
        "workstation": each.equipment.split("-")[0],
        "operator": "HR-EMP-00001",
        "from_time": naive(each.start, plant.zone),
        "to_time": naive(end, plant.zone),
        "downtime": (end - each.start).total_seconds() / 60,
        "stop_reason": "Machine malfunction",
        "remarks": "spindle overload",
        "modified": _modified(end, plant),
    }


def _modified(moment: datetime, plant: Plant) -> str:
    """ERPNext's form: site-local, with microseconds."""
    return naive(moment, plant.zone) + ".000000"
