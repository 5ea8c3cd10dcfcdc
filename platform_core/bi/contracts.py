"""What is asked, what is planned and what is answered; frozen, and free of SQL."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from dbt_like_sql.semantics.contracts import Against, Format
from dbt_like_sql.semantics.expressions import Expression

Grain = Literal["hour", "shift", "day", "week", "month", "quarter", "year"]
Operator = Literal["eq", "ne", "in", "not_in", "lt", "lte", "gt", "gte", "between", "is_null", "not_null"]
Anchor = Literal["newest", "today"]
Value = str | Decimal
Cell = Any
"""A date, datetime, text, Decimal or None."""

ROW_CAP = 10_000
TIMEOUT_SECONDS = 30
TIME = "time"
"""Name of the column that holds the bucket of time."""


_MAX_EXPONENT = 60
_MAX_TEXT = 200


def _is_text(value: str) -> bool:
    """Whether it can be written as UTF-8: half of a surrogate pair cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Contract(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Filter(_Contract):
    """Which rows count: `field` is a dimension, or one of the metrics asked for (then it works on the result)."""

    field: str = Field(max_length=60)
    operator: Operator
    values: tuple[Value, ...] = Field(default=(), max_length=1000)

    @field_validator("values")
    @classmethod
    def _are_storable(cls, values: tuple[Value, ...]) -> tuple[Value, ...]:
        for value in values:
            if isinstance(value, Decimal):
                if abs(value.adjusted()) > _MAX_EXPONENT:
                    raise ValueError("a number is too large or too small")
            elif "\x00" in value or not _is_text(value):
                raise ValueError("a text holds what no text can")
            elif len(value) > _MAX_TEXT:
                raise ValueError(f"a text is longer than {_MAX_TEXT} characters")
        return values

    @model_validator(mode="after")
    def _has_its_values(self) -> Self:
        needed = {"between": 2, "is_null": 0, "not_null": 0}.get(self.operator, 1)
        many = self.operator in ("in", "not_in")
        if (many and not self.values) or (not many and len(self.values) != needed):
            wanted = "at least one value" if many else f"{needed} value{'' if needed == 1 else 's'}"
            raise ValueError(f"{self.operator} needs {wanted}, not {len(self.values)}")
        return self


class TimeRange(_Contract):
    """Absolute (`first` and `last`, both inclusive) or `relative` (last_7_days, yesterday, this_month, mtd ...).

    A relative range ends at the newest published date or today; without `anchor` only today and yesterday mean today's.
    """

    first: date | None = None
    last: date | None = None
    relative: str | None = Field(default=None, max_length=30)
    anchor: Anchor | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.relative is None) == (self.first is None and self.last is None):
            raise ValueError("a time range is either first and last, or relative")
        if self.relative is None and (self.first is None or self.last is None):
            raise ValueError("a time range needs first and last")
        if self.first is not None and self.last is not None and self.first > self.last:
            raise ValueError("first lies after last")
        if self.anchor is not None and self.relative is None:
            raise ValueError("an anchor belongs to a relative range")
        return self


class Request(_Contract):
    """What is asked. `order` holds names of columns, with `-` for descending; without it time, then dimensions."""

    metrics: tuple[str, ...] = Field(min_length=1, max_length=30)
    dimensions: tuple[str, ...] = Field(default=(), max_length=8)
    filters: tuple[Filter, ...] = Field(default=(), max_length=30)
    time: TimeRange = TimeRange(relative="last_30_days")
    grain: Grain | None = None
    compare: Against | None = None
    order: tuple[str, ...] = Field(default=(), max_length=8)
    limit: int | None = Field(default=None, ge=1)
    totals: bool = False
    fill: bool = False
    require_trusted: bool = False


# What is published ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Publication:
    """A published version of a date of a model (or of all of it, for a mart)."""

    version: int
    rows: int
    at: datetime | None


@dataclass(frozen=True)
class ModelState:
    """How a model stands for a tenant: by date, or by 1970-01-01 for one without dates. Reasons by date."""

    published: Mapping[date, Publication]
    failed: Mapping[date, str]
    dirty: Mapping[date, str]
    newest: date | None = None


NOTHING = ModelState({}, {}, {})


# The plan -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DateRange:
    """Dates, both inclusive. `months`: so many whole months it stands for (a month to date stands for one)."""

    first: date
    last: date
    months: int = 0

    @property
    def days(self) -> int:
        """How many dates."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True)
class Step:
    """How far an earlier range's dates are moved to meet the present one's."""

    months: int = 0
    days: int = 0


@dataclass(frozen=True)
class PlannedDimension:
    """A dimension of a scan: a column of the source, or of a table joined to it by tenant and key."""

    name: str
    column: str
    table: str | None = None
    key: str | None = None


@dataclass(frozen=True)
class Slot:
    """One aggregate of a scan, named by the planner; metrics are formulas over slots. `last`: of the last snapshot."""

    name: str
    measure: str
    aggregation: str
    expression: Expression | None
    where: Expression | None
    unknown_where: Expression | None
    last: bool


@dataclass(frozen=True)
class Scan:
    """One pass over one reader view: a dataset's slots, by dimensions and bucket of time."""

    dataset: str
    model: str
    view: str
    dates: DateRange
    step: Step
    hour: str | None
    only_where: Expression | None
    dimensions: tuple[PlannedDimension, ...]
    filters: tuple[tuple[PlannedDimension, Filter], ...]
    slots: tuple[Slot, ...]
    running: str | None
    """Period over which the slots run (cumulative metrics); None for plain ones."""
    calendar: DateRange
    """The present dates that it is moved onto; a running scan reads from its period's start on."""


@dataclass(frozen=True)
class Output:
    """A column of the answer: a formula over slots."""

    name: str
    formula: Expression


@dataclass(frozen=True)
class Statement:
    """What the store writes as one SQL statement."""

    scans: tuple[Scan, ...]
    dimensions: tuple[str, ...]
    grain: Grain | None
    dates: DateRange
    outputs: tuple[Output, ...]
    having: tuple[Filter, ...]
    order: tuple[tuple[str, bool], ...]
    """Column and whether descending."""
    limit: int | None
    totals: bool
    fill: bool


@dataclass(frozen=True)
class Choice:
    """Which model answers for a dataset, why, and why not the others; `purpose` is current or the comparison's name."""

    dataset: str
    purpose: str
    model: str
    because: str
    passed_over: tuple[tuple[str, str], ...]
    dates: DateRange


@dataclass(frozen=True)
class Column:
    """What a column of the answer is."""

    name: str
    kind: Literal["time", "dimension", "metric"]
    label: str
    unit: str | None = None
    format: Format | None = None
    direction: str | None = None
    target: Decimal | None = None
    metric: str | None = None
    role: Literal["value", "previous", "change", "change_ratio"] = "value"


@dataclass(frozen=True)
class Plan:
    """How a request is answered: what is read and why, before anything is read."""

    statement: Statement
    choices: tuple[Choice, ...]
    columns: tuple[Column, ...]
    dates: DateRange
    compared_dates: DateRange | None


# The answer -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ModelVersion:
    """The version of a model that an answer rests on: of its dates in range together, and when the newest was made."""

    model: str
    version: str
    published_at: datetime | None
    rows: int


@dataclass(frozen=True)
class Doubt:
    """Why a number may be wrong: dates of a model that are dirty, failed or missing, or a check that failed on them."""

    kind: Literal["dirty", "failed", "missing", "check"]
    model: str
    dates: tuple[date, ...]
    reason: str


@dataclass(frozen=True)
class Trust:
    """What stands behind an answer."""

    versions: tuple[ModelVersion, ...]
    doubts: tuple[Doubt, ...]

    @property
    def is_trusted(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.doubts


@dataclass(frozen=True)
class Explanation:
    """A plan with its SQL, as text with placeholders and their values."""

    plan: Plan
    sql: str
    parameters: Mapping[str, Any]
    trust: Trust


@dataclass(frozen=True)
class Answer:
    """Rows under columns. `total_rows` counts also those that `limit` or the cap left out; `note` says so."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    totals: tuple[Cell, ...] | None
    total_rows: int
    note: str | None
    explanation: Explanation

    @property
    def trust(self) -> Trust:
        """What stands behind the rows."""
        return self.explanation.trust
