"""Work orders and equipment events of a plant, shift by shift; every line and date draws from a stream of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random

from platform_core.factory.contracts import EquipmentEvent, Interval, Line, Period, Plant, Shift, WorkOrder

DEFECT_TYPES = {
    "assembly": ("missing_part", "misalignment"),
    "processing": ("dimension", "burr"),
    "packaging": ("label", "seal"),
    "inspection": ("scratch", "stain"),
}
REST_DAY = 5
"""Days before the last date, modulo 7, on which the plant rests: an empty day, and gaps in 7-day windows."""
_DRIFT_DAYS = 7
_STORY_STOP_MINUTES = 0.7
"""Share of three work orders of the last day that the breakdown of the story takes."""


@dataclass(frozen=True, slots=True)
class Story:
    """Which lines of a plant the last days are about."""

    breakdown_line: str
    drift_line: str


def story_of(plant: Plant) -> Story:
    """The first line breaks down on the last date; the defects of the second (or the only one) drift."""
    return Story(plant.lines[0].code, plant.lines[min(1, len(plant.lines) - 1)].code)


def dates_of(period: Period) -> Iterator[date]:
    """Every production date, first to last, rest days included."""
    for offset in range((period.last - period.first).days + 1):
        yield period.first + timedelta(days=offset)


def is_rest_day(day: date, period: Period) -> bool:
    """Whether nothing runs on that date; the last days never rest."""
    return (period.last - day).days % 7 == REST_DAY


def shift_hours(plant: Plant, day: date, shift: Shift) -> tuple[datetime, datetime]:
    """When a shift of a production date begins and ends, in UTC; 7 or 9 hours apart when the clocks change in it."""
    end_day = day if shift.end > shift.start else day + timedelta(days=1)
    start = datetime.combine(day, shift.start, plant.zone).astimezone(UTC)
    return start, datetime.combine(end_day, shift.end, plant.zone).astimezone(UTC)


def work_orders_of_day(plant: Plant, line: Line, day: date, period: Period) -> list[WorkOrder]:
    """The work orders of one line on one production date, in order of time."""
    if is_rest_day(day, period):
        return []
    random = Random(f"{period.seed}/{plant.slug}/{line.code}/{day}")
    orders: list[WorkOrder] = []
    products = list(line.cycles)
    product = products[day.toordinal() % len(products)]
    # A daily report has one row for each product of a shift.
    slots = min(period.orders_per_shift, len(products)) if line.feed == "daily_report" else period.orders_per_shift
    for shift in plant.shifts:
        begin, finish = shift_hours(plant, day, shift)
        minutes = int((finish - begin).total_seconds()) // 60
        for slot in range(slots):
            previous = product
            if line.feed == "daily_report":
                product = products[slot]
            elif random.random() < 0.3:
                product = random.choice(products)
            start, end = minutes * slot // slots, minutes * (slot + 1) // slots
            orders.append(
                _work_order(
                    _Slot(plant, line, day, shift, period, slot, product, product != previous),
                    begin + timedelta(minutes=start),
                    begin + timedelta(minutes=end),
                    random,
                )
            )
    return orders


@dataclass(frozen=True, slots=True)
class _Slot:
    plant: Plant
    line: Line
    day: date
    shift: Shift
    period: Period
    number: int
    product: str
    is_changeover: bool


def ideal_cycle(plant: Plant, line: Line, product: str) -> float:
    """Ideal seconds a piece: the line's for the product, else the product's own."""
    cycle = line.cycles.get(product) or plant.products[product].target_cycle_sec
    if cycle is None:
        raise ValueError(f"{product} has no ideal cycle time on {line.code} of {plant.slug}")
    return cycle


def _work_order(slot: _Slot, start: datetime, end: datetime, random: Random) -> WorkOrder:
    elapsed = int((end - start).total_seconds()) // 60
    stops = _stops(slot, elapsed, random)
    downtime = sum(minutes for _, minutes in stops)
    runtime = elapsed - downtime
    ideal = ideal_cycle(slot.plant, slot.line, slot.product)
    total = int(runtime * 60 / ideal * (0.86 + 0.125 * random.random()))
    defect = min(round(total * _defect_rate(slot, random)), total)
    rework = int(defect * 0.3)
    return WorkOrder(
        id=f"WO-{slot.day:%y%m%d}-{slot.line.code}-{slot.shift.code[0].upper()}{slot.number + 1:02d}",
        day=slot.day,
        line=slot.line.code,
        equipment=random.choice(slot.line.equipment),
        product=slot.product,
        shift=slot.shift.code,
        operator=f"OP{slot.shift.order}{random.randrange(1, 5):02d}",
        start=start,
        end=end,
        total=total,
        good=total - defect,
        rework=rework,
        scrap=(defect - rework) // 2,
        planned=int(elapsed * 60 / ideal * 0.85),
        cycle=round(runtime * 60 / total, 2) if total else 0.0,
        runtime=float(runtime),
        downtime=float(downtime),
        defects=_defects(slot.line, defect, random),
        stops=stops,
        version=end + timedelta(minutes=random.randrange(2, 15)),
    )


def _stops(slot: _Slot, elapsed: int, random: Random) -> tuple[tuple[str, float], ...]:
    """Reasons and minutes; together never more than 85% of the elapsed time."""
    stops: list[tuple[str, float]] = []
    if slot.is_changeover:
        stops.append(("setup", float(min(random.randrange(12, 26), elapsed // 4))))
    chance, minutes = random.random(), random.randrange(15, 46)
    if _is_story_breakdown(slot):
        stops.append(("breakdown", float(int(elapsed * _STORY_STOP_MINUTES) - sum(m for _, m in stops))))
    elif chance < 0.04 and slot.day != slot.period.last:
        stops.append(("breakdown", float(min(minutes, elapsed // 3))))
    if random.random() < 0.1:
        stops.append(("material_wait", float(min(random.randrange(4, 12), elapsed // 8))))
    small = random.randrange(0, 9) / 2
    if small:
        stops.append(("minor_stop", min(small, elapsed / 16)))
    return tuple((reason, minutes) for reason, minutes in stops if minutes > 0)


def _is_story_breakdown(slot: _Slot) -> bool:
    is_line = slot.line.code == story_of(slot.plant).breakdown_line
    is_time = slot.day == slot.period.last and slot.shift.order == 1
    return is_line and is_time and slot.number in (0, 1, 2)


def _defect_rate(slot: _Slot, random: Random) -> float:
    rate = (0.010 + 0.003 * (int(slot.line.code[1:]) % 4)) * (0.6 + 0.9 * random.random())
    days_left = (slot.period.last - slot.day).days
    if slot.line.code == story_of(slot.plant).drift_line and days_left < _DRIFT_DAYS:
        rate += 0.009 * (_DRIFT_DAYS - days_left)
    return rate


def _defects(line: Line, defect: int, random: Random) -> tuple[tuple[str, int], ...]:
    first, second = DEFECT_TYPES[line.category]
    if defect < 3 or random.random() < 0.4:
        return ((first, defect),) if defect else ()
    share = random.randrange(1, defect // 2 + 1)
    return ((first, defect - share), (second, share))


def events_of(order: WorkOrder, random: Random) -> tuple[list[EquipmentEvent], list[Interval]]:
    """The messages of the equipment during one work order: its breakdowns and setups, now and then an alarm."""
    events: list[EquipmentEvent] = []
    intervals: list[Interval] = []
    at = order.start + timedelta(minutes=2)
    for reason, minutes in order.stops:
        if reason in ("breakdown", "setup"):
            end = at + timedelta(minutes=minutes)
            events += _pair(order, reason, at, end)
            intervals.append(Interval(order.equipment, reason, at, end))
            at = end + timedelta(seconds=30)
    if random.random() < 0.05:
        moment = order.start + timedelta(minutes=1)
        events.append(
            EquipmentEvent(
                f"EV-{order.id}-alarm", order.equipment, order.line, "alarm", "point", None, moment, None,
                "A-210", "warning", "temperature high",
            )
        )  # fmt: skip
        intervals.append(Interval(order.equipment, "alarm", moment, None))
    return events, intervals


def _pair(order: WorkOrder, reason: str, start: datetime, end: datetime) -> list[EquipmentEvent]:
    """A start and an end; breakdowns share a pair id, of setups one only knows which equipment it was."""
    is_breakdown = reason == "breakdown"
    pair = f"{order.id}-{reason}" if is_breakdown else None
    severity = "critical" if is_breakdown else "info"
    alarm = "E-501" if is_breakdown else None
    text = "spindle overload" if is_breakdown else "changeover"
    return [
        EquipmentEvent(
            f"EV-{order.id}-{reason}-{phase}", order.equipment, order.line, reason, phase, pair, at, None,
            alarm, severity, text,
        )
        for phase, at in (("start", start), ("end", end))
    ]  # fmt: skip


def maintenance_of_day(plant: Plant, line: Line, day: date, period: Period) -> tuple[EquipmentEvent, Interval] | None:
    """A weekly maintenance of the second equipment, 23:00 to 01:30 plant time: it reaches into the next date."""
    if (period.last - day).days % 7 != 3:
        return None
    start = datetime.combine(day, datetime.min.time().replace(hour=23), plant.zone).astimezone(UTC)
    end = start + timedelta(minutes=150)
    equipment = line.equipment[1]
    event = EquipmentEvent(
        f"EV-{day:%y%m%d}-{equipment}-maintenance", equipment, line.code, "maintenance", None, None, start, end,
        None, "info", "weekly maintenance",
    )  # fmt: skip
    return event, Interval(equipment, "maintenance", start, end)
