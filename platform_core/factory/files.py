"""Files as the plants' systems write them, one per system and day, and the manifest of their arrival."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

from platform_core.factory.contracts import (
    Delivery,
    EquipmentEvent,
    History,
    Line,
    Outcome,
    Plant,
    Shift,
    SourceFile,
    Stock,
    WorkOrder,
)
from platform_core.factory.production import DEFECT_TYPES
from platform_core.factory.rows import DEFECTS_KO, STOPS_KO, json_line, naive, payload_of
from platform_core.factory.spreadsheet import DailyReport, write_daily_report

Write = Callable[[Path, Sequence[Delivery], Plant], None]


@dataclass(frozen=True, slots=True)
class _Feed:
    """A system: the mapping for its files, their record type, and where and how they are written."""

    name: str
    mapping: str
    record_type: str
    file_name: str
    write: Write


def _write_json_lines(path: Path, deliveries: Sequence[Delivery], plant: Plant) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(json_line(delivery, plant) + "\n" for delivery in deliveries)


def write_csv(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]], *, encoding: str = "utf-8", delimiter: str = ","
) -> None:
    """A CSV file with Windows line ends, as spreadsheets and old systems write it; None is an empty cell."""
    with path.open("w", encoding=encoding, newline="") as stream:
        writer = csv.writer(stream, delimiter=delimiter)
        writer.writerow(header)
        writer.writerows(rows)


def _write_plain_csv(path: Path, deliveries: Sequence[Delivery], plant: Plant) -> None:
    rows = [payload_of(delivery, plant) for delivery in deliveries]
    header = list(rows[0])
    write_csv(path, header, [[row[name] for name in header] for row in rows])


SHIFTS_KO = {"day": "주간", "evening": "저녁", "night": "야간"}
_WORK_ORDER_KO = (
    "작업지시번호", "라인코드", "설비코드", "품목코드", "근무조", "작업자", "시작일시", "종료일시",
    "생산수량", "양품수량", "불량수량", "가동시간(분)", "비가동시간(분)", "상태",
)  # fmt: skip


def _write_work_orders_ko(path: Path, deliveries: Sequence[Delivery], plant: Plant) -> None:
    orders = _work_orders(deliveries)
    kinds = _defect_types(orders, plant)
    rows = [
        [
            order.id, order.line, order.equipment, order.product, SHIFTS_KO[order.shift], order.operator,
            naive(order.start, plant.zone), naive(order.end, plant.zone),
            order.total, order.good, order.defect, order.runtime, order.downtime, "정상",
            *(dict(order.defects).get(kind) for kind in kinds), *_stop_minutes(order),
        ]
        for order in orders
    ]  # fmt: skip
    header = [*_WORK_ORDER_KO, *(f"불량유형 {DEFECTS_KO[kind]}" for kind in kinds)]
    header += [f"비가동사유 {name}" for name in STOPS_KO.values()]
    write_csv(path, header, rows, encoding="cp949")


_DAILY_REPORT_KO = (
    "생산일자", "라인", "품번", "품명", "근무조", "시작시간", "종료시간", "계획수량", "생산수량", "양품수량",
    "불량수량", "가동시간(분)", "비가동시간(분)",
)  # fmt: skip


def _write_daily_report(path: Path, deliveries: Sequence[Delivery], plant: Plant) -> None:
    orders = _work_orders(deliveries)
    kinds = _defect_types(orders, plant)
    rows = [
        [
            order.day, order.line, order.product, plant.products[order.product].name, SHIFTS_KO[order.shift],
            order.start.astimezone(plant.zone).strftime("%H:%M"), order.end.astimezone(plant.zone).strftime("%H:%M"),
            order.planned, order.total, order.good, order.defect, order.runtime, order.downtime,
            *(dict(order.defects).get(kind) for kind in kinds), *_stop_minutes(order),
        ]
        for order in orders
    ]  # fmt: skip
    report = DailyReport(
        title=f"{plant.display_name} 일일 생산 보고서",
        subtitle=f"작성일: {deliveries[0].day}",
        header=_DAILY_REPORT_KO,
        groups={"불량내역": [DEFECTS_KO[kind] for kind in kinds], "비가동내역": list(STOPS_KO.values())},
        rows=rows,
        total_label="합계",
        totalled=range(7, 13),
    )
    write_daily_report(path, report)


def _stop_minutes(order: WorkOrder) -> list[float]:
    """Minutes of each reason, as the file's columns; 0 where there was none, since the system knows."""
    stops = dict(order.stops)
    return [stops.get(reason, 0) for reason in STOPS_KO]


def _defect_types(orders: Sequence[WorkOrder], plant: Plant) -> list[str]:
    """The defect types of the lines in a file, as its columns."""
    lines = {order.line for order in orders}
    return [kind for line in plant.lines if line.code in lines for kind in DEFECT_TYPES[line.category]]


def _work_orders(deliveries: Sequence[Delivery]) -> list[WorkOrder]:
    return [each.record for each in deliveries if isinstance(each.record, WorkOrder)]


# In the order of their arrival within a day.
_FEEDS = (
    _Feed("mes_json", "takt_mes_work_order", "work_order", "mes/work_orders_{day}.jsonl", _write_json_lines),
    _Feed("mes_csv", "mes_work_order_csv_ko", "work_order", "mes_l02/work_orders_{day}.csv", _write_work_orders_ko),
    _Feed("daily_report", "korean_daily_production", "work_order", "reports/daily_{day}.xlsx", _write_daily_report),
    _Feed("events", "takt_equipment_event", "equipment_event", "equipment/events_{day}.jsonl", _write_json_lines),
    _Feed("inventory", "takt_inventory", "inventory", "erp/inventory_{day}.csv", _write_plain_csv),
    _Feed("orders", "takt_order", "order", "erp/orders_{day}.csv", _write_plain_csv),
)
_RANK = {feed.name: rank for rank, feed in enumerate(_FEEDS)}


def _feed_of(delivery: Delivery, lines: dict[str, Line]) -> str:
    record = delivery.record
    if isinstance(record, WorkOrder):
        return lines[record.line].feed
    if isinstance(record, EquipmentEvent):
        return "events"
    return "inventory" if isinstance(record, Stock) else "orders"


def write_deliveries(output: Path, history: History) -> list[tuple[date, SourceFile]]:
    """Write all files of one plant below `output`; each with the date of its arrival, in that order."""
    plant = history.plant
    lines = {line.code: line for line in plant.lines}

    def key(delivery: Delivery) -> tuple[date, int]:
        return delivery.day, _RANK[_feed_of(delivery, lines)]

    files: list[tuple[date, SourceFile]] = []
    for (day, rank), group in groupby(sorted(history.deliveries, key=key), key):
        feed = _FEEDS[rank]
        deliveries = list(group)
        name = f"{plant.slug}/{feed.file_name.format(day=day.isoformat())}"
        path = output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        feed.write(path, deliveries, plant)
        outcomes: Counter[Outcome] = Counter(delivery.outcome for delivery in deliveries)
        rejected = Counter(delivery.reason for delivery in deliveries if delivery.reason)
        files.append((day, SourceFile(plant.slug, name, feed.mapping, feed.record_type, outcomes, rejected)))
    return files


def write_master_data(output: Path, plant: Plant) -> list[SourceFile]:
    """Lines, products, equipment, shifts and ideal cycle times of a plant, one CSV each."""
    folder = output / plant.slug / "master"
    folder.mkdir(parents=True, exist_ok=True)
    files: list[SourceFile] = []
    for record_type, (header, rows) in _master_tables(plant).items():
        write_csv(folder / f"{record_type}.csv", header, rows)
        name = f"{plant.slug}/master/{record_type}.csv"
        files.append(SourceFile(plant.slug, name, f"takt_{record_type}", record_type, {"landed": len(rows)}, {}))
    return files


def _master_tables(plant: Plant) -> dict[str, tuple[list[str], list[list[Any]]]]:
    """Header and rows of each record type, in the order in which they should land."""
    return {
        "line": (
            ["line_code", "name", "category", "capacity_per_hour", "capacity_unit", "timezone", "plant_code"],
            [
                [each.code, each.name, each.category, each.capacity_per_hour, "EA", plant.timezone, plant.plant_code]
                for each in plant.lines
            ],
        ),
        "product": (
            ["product_code", "name", "name_en", "unit", "standard_cost", "target_cycle_time_sec"],
            [
                [each.code, each.name, each.name_en, "EA", each.unit_cost, each.target_cycle_sec]
                for each in plant.products.values()
            ],
        ),
        "equipment": (
            ["equipment_code", "line_code", "name", "equipment_type"],
            [
                [code, line.code, f"{line.name} {code[-2:]}", "machine"]
                for line in plant.lines
                for code in line.equipment
            ],
        ),
        "shift": (
            ["plant_code", "shift_code", "name", "start_time", "end_time", "is_night_shift", "shift_order"],
            [_shift_row(plant, each) for each in plant.shifts],
        ),
        "cycle_time": (
            ["line_code", "product_code", "ideal_cycle_sec"],
            [
                [line.code, product, seconds]
                for line in plant.lines
                for product, seconds in line.cycles.items()
                if seconds is not None
            ],
        ),
    }


def _shift_row(plant: Plant, shift: Shift) -> list[Any]:
    times = [f"{shift.start:%H:%M}", f"{shift.end:%H:%M}"]
    return [plant.plant_code, shift.code, shift.name, *times, str(shift.is_night).lower(), shift.order]


def write_manifest(path: Path, plants: Sequence[Plant], files: Sequence[SourceFile]) -> None:
    """The tenants and their files in the order of arrival, with the mapping that reads each."""
    content = {
        "tenants": [
            {"slug": plant.slug, "display_name": plant.display_name, "timezone": plant.timezone} for plant in plants
        ],
        "files": [
            {"tenant": file.tenant, "path": file.path, "mapping": file.mapping, "record_type": file.record_type}
            for file in files
        ],
    }
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
