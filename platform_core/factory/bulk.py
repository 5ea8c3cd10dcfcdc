"""Very large days: a streaming writer of work orders, and their totals, at hundreds of thousands of rows a second."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from platform_core.factory.contracts import Plant, Shift
from platform_core.factory.plants import make_plants
from platform_core.factory.production import ideal_cycle, shift_hours

BULK_LINES = 20
_BLOCK = 20_000


@dataclass(slots=True)
class BulkSum:
    """Totals of one production date, line, product and shift; minutes are whole, so the sums are exact."""

    total: int = 0
    good: int = 0
    runtime: int = 0
    downtime: int = 0
    setup: int = 0
    count: int = 0
    cycle: float = 0.0
    cycle_squared: float = 0.0
    planned: int = 0


@dataclass(slots=True)
class BulkTotals:
    """What the warehouse must show of the rows written, by (production date, line, product, shift)."""

    sums: dict[tuple[date, str, str, str], BulkSum] = field(default_factory=dict[tuple[date, str, str, str], BulkSum])

    @property
    def count(self) -> int:
        """Work orders written."""
        return sum(each.count for each in self.sums.values())

    def rows(self) -> list[dict[str, Any]]:
        """One dict per key, as `truth.json` names things."""
        return [
            {
                "date": key[0].isoformat(),
                "line_code": key[1],
                "product_code": key[2],
                "shift": key[3],
                "total_qty": each.total,
                "good_qty": each.good,
                "defect_qty": each.total - each.good,
                "runtime_minutes": each.runtime,
                "downtime_minutes": each.downtime,
                "setup_time_minutes": each.setup,
                "work_order_count": each.count,
            }
            for key, each in sorted(self.sums.items())
        ]


def work_orders_bulk(
    path: Path,
    days: Sequence[date],
    count: int,
    seed: int,
    *,
    plant: Plant | None = None,
    progress: Callable[[int], None] | None = None,
) -> BulkTotals:
    """Write `count` MES work orders, spread evenly over the days, as JSON lines for the mapping takt_mes_work_order.

    The plant defaults to one with 20 lines in Asia/Seoul. Orders are short and overlap: a line here stands for many
    machines. The same arguments give the same bytes. `progress` is told the rows written so far.
    """
    plant = plant or make_plants(1, BULK_LINES)[0]
    totals = BulkTotals()
    written = 0
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for index, day in enumerate(days):
            share = count * (index + 1) // len(days) - count * index // len(days)
            lines = _lines_of_day(plant, day, share, Random(f"{seed}/bulk/{plant.slug}/{day}"), totals)
            while block := list(islice(lines, _BLOCK)):
                stream.write("".join(block))
                written += len(block)
                if progress:
                    progress(written)
    return totals


@dataclass(frozen=True, slots=True)
class _Group:
    """What the orders of one line, product and shift share: texts, the ideal cycle, and their sums."""

    head: str
    ideal: float
    times: tuple[str, ...]
    sums: BulkSum


def _groups(plant: Plant, day: date, totals: BulkTotals) -> list[_Group]:
    times = {shift.code: _minute_texts(plant, day, shift) for shift in plant.shifts}
    groups: list[_Group] = []
    for line in plant.lines:
        for product in line.cycles:
            for shift in plant.shifts:
                sums = totals.sums.setdefault((day, line.code, product, shift.code), BulkSum())
                head = (
                    f'"line_code":"{line.code}","equipment_code":"{line.equipment[0]}","product_code":"{product}",'
                    f'"shift":"{shift.code}","operator_id":"OPB{shift.order}","status":"completed"'
                )
                groups.append(_Group(head, ideal_cycle(plant, line, product), times[shift.code], sums))
    return groups


def _minute_texts(plant: Plant, day: date, shift: Shift) -> tuple[str, ...]:
    """The shift's minutes as ISO texts with offset, its end included."""
    begin, end = shift_hours(plant, day, shift)
    minutes = int((end - begin).total_seconds()) // 60
    return tuple((begin + timedelta(minutes=m)).astimezone(plant.zone).isoformat() for m in range(minutes + 1))


def _lines_of_day(plant: Plant, day: date, count: int, random: Random, totals: BulkTotals) -> Iterator[str]:
    groups = _groups(plant, day, totals)
    draw = random.random
    stamp = f"{day:%y%m%d}"
    size = len(groups)
    for number in range(count):
        group = groups[number % size]
        sums = group.sums
        chance = draw()
        elapsed = 6 + int(chance * 10)
        stop = 1 if chance * 7 % 1 < 0.25 else 0
        start = int(draw() * (len(group.times) - elapsed))
        runtime = elapsed - stop
        total = int(runtime * 60 / group.ideal * 0.9)
        defect = 1 if chance * 13 % 1 < 0.3 else 0
        cycle = round(runtime * 60 / total, 2)
        sums.total += total
        sums.good += total - defect
        sums.runtime += runtime
        sums.downtime += stop
        sums.setup += stop
        sums.count += 1
        sums.cycle += cycle
        sums.cycle_squared += cycle * cycle
        sums.planned += total + 1
        end = group.times[start + elapsed]
        yield (
            f'{{"work_order_id":"WB-{stamp}-{number:07d}",{group.head},"start_time":"{group.times[start]}",'
            f'"end_time":"{end}","total_qty":{total},"good_qty":{total - defect},"defect_qty":{defect},'
            f'"planned_qty":{total + 1},"defect_details":{_DEFECT if defect else "[]"},"cycle_time_avg_sec":{cycle},'
            f'"runtime_minutes":{runtime},"downtime_minutes":{stop},"downtime_reasons":{_STOP if stop else "[]"},'
            f'"updated_at":"{end}"}}\n'
        )


_DEFECT = '[{"type":"burr","qty":1}]'
_STOP = '[{"reason":"setup","minutes":1}]'
