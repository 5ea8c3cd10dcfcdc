"""What the parts of the made-up factory hand to one another; times are aware and in UTC, quantities pieces."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

Feed = Literal["mes_json", "mes_csv", "daily_report"]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift in plant-local time; one whose end is not after its start crosses midnight."""

    code: str
    name: str
    start: time
    end: time
    order: int
    is_night: bool


@dataclass(frozen=True, slots=True)
class Product:
    """A product; `target_cycle_sec` is its own ideal cycle, used where its line has none for it."""

    code: str
    name: str
    name_en: str
    unit_cost: float
    target_cycle_sec: float | None
    safety_stock: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line, the system that reports it, and its ideal cycle seconds by product (None: not in the master data)."""

    code: str
    name: str
    category: str
    capacity_per_hour: int
    feed: Feed
    cycles: Mapping[str, float | None]
    equipment: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plant:
    """One tenant: a plant in one time zone."""

    slug: str
    display_name: str
    timezone: str
    plant_code: str
    shifts: tuple[Shift, ...]
    products: Mapping[str, Product]
    lines: tuple[Line, ...]

    @property
    def zone(self) -> ZoneInfo:
        """The plant's time zone."""
        return ZoneInfo(self.timezone)


@dataclass(frozen=True, slots=True)
class Period:
    """The production dates of the factory, both included, and how busy it is."""

    first: date
    last: date
    orders_per_shift: int
    seed: int


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """One finished work order. Minutes: runtime + downtime = elapsed; the details sum to their totals."""

    id: str
    day: date
    line: str
    equipment: str
    product: str
    shift: str
    operator: str
    start: datetime
    end: datetime
    total: int
    good: int
    rework: int
    scrap: int
    planned: int
    cycle: float
    runtime: float
    downtime: float
    defects: tuple[tuple[str, int], ...]
    stops: tuple[tuple[str, float], ...]
    version: datetime

    @property
    def defect(self) -> int:
        """Pieces that did not pass."""
        return self.total - self.good


@dataclass(frozen=True, slots=True)
class EquipmentEvent:
    """One message of an equipment: the start, the end or the whole (`until`) of an interval, or a point."""

    id: str
    equipment: str
    line: str
    type: str
    phase: str | None
    pair: str | None
    at: datetime
    until: datetime | None
    alarm: str | None
    severity: str
    message: str


@dataclass(frozen=True, slots=True)
class Interval:
    """What the messages of one event amount to; a point has no `end`."""

    equipment: str
    type: str
    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Stock:
    """Stock of one product at one place at the end of a date."""

    day: date
    product: str
    location: str
    stock: int
    safety: int
    reserved: int
    in_transit: int
    issued: int
    usage: float | None
    unit_cost: float
    last_receipt: date | None
    last_issue: date | None


@dataclass(frozen=True, slots=True)
class Order:
    """A customer's order as it stood at `version`."""

    id: str
    customer: str
    product: str
    quantity: int
    delivered: int
    due: date
    delivered_on: date | None
    priority: str
    status: str
    created_at: datetime
    version: datetime


Record = WorkOrder | EquipmentEvent | Stock | Order
Outcome = Literal["landed", "corrected", "unchanged", "outdated", "rejected"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A record on its way: the date whose file carries it, and what must become of it."""

    day: date
    record: Record
    outcome: Outcome
    reason: str | None = None
    """Which kind of broken (see `disturbances.BREAKAGES`); the file writer breaks the row accordingly."""


@dataclass
class History:
    """All that happened in one plant: what its systems send, and what is true once everything has arrived."""

    plant: Plant
    work_orders: list[WorkOrder] = field(default_factory=list[WorkOrder])
    intervals: list[Interval] = field(default_factory=list[Interval])
    stocks: list[Stock] = field(default_factory=list[Stock])
    orders: list[Order] = field(default_factory=list[Order])
    deliveries: list[Delivery] = field(default_factory=list[Delivery])
    story: Json = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that was written, in the order of arrival, and what must become of its rows."""

    tenant: str
    path: str
    """Below the output folder, with slashes."""
    mapping: str
    record_type: str
    outcomes: Mapping[Outcome, int]
    rejected: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Factory:
    """What `generate` wrote."""

    output: Path
    plants: tuple[Plant, ...]
    period: Period
    files: tuple[SourceFile, ...]
    story: Mapping[str, Json]
