"""The typed form of dbt_like_sql/metrics/*.yml; unknown keys are errors."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
Aggregation = Literal["sum", "count", "count_distinct", "min", "max"]
Format = Literal["number", "integer", "percent", "currency", "duration"]
Direction = Literal["higher", "lower", "neutral"]
Period = Literal["month", "quarter", "year", "range"]
Against = Literal["previous_period", "previous_year", "week_before"]
MetricType = Literal["simple", "ratio", "derived", "cumulative", "change"]


class _Contract(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Text(_Contract):
    """What a person reads, in Korean and English."""

    ko: str = Field(min_length=1)
    en: str = Field(min_length=1)

    def of(self, language: str) -> str:
        """In one of the two; English where the language is another."""
        return self.ko if language == "ko" else self.en


class Reading(_Contract):
    """How a model other than the fact holds a measure that has no column of its own there."""

    expression: str
    unknown_where: str | None = None


class Source(_Contract):
    """A model that holds a dataset's measures; the first is the fact.

    `window_days`: it holds only so many days up to the newest date of the fact. `only_where`: which of its rows
    belong to the dataset. `measures`: how it holds those that are no plain column of the same name.
    """

    model: str
    window_days: int | None = Field(default=None, ge=1)
    only_where: str | None = None
    hour: str | None = None
    measures: Mapping[str, Reading] = Field(default_factory=dict[str, Reading])


class Dataset(_Contract):
    """A fact and the models that hold the same numbers. `snapshot`: a row is a state at the end of a day."""

    name: Name
    label: Text
    snapshot: bool = False
    looks_ahead: bool = Field(default=False, description="Its dates lie in the future too (a day of delivery).")
    sources: tuple[Source, ...] = Field(min_length=1)

    @property
    def fact(self) -> str:
        """The model that all others are made from."""
        return self.sources[0].model


class Entity(_Contract):
    """What a key of the facts stands for, and the dimension table with one row for each."""

    name: Name
    key: str
    model: str


class Dimension(_Contract):
    """Something to group and filter by: a column of the facts, or one of an entity's table.

    `parent` is the next coarser one of its hierarchy.
    """

    name: Name
    label: Text
    description: Text
    column: str
    entity: Name | None = None
    parent: Name | None = None


class Measure(_Contract):
    """One aggregation over a dataset's column or a small expression of its columns.

    `where` says which rows count. `unknown_where` says which rows make the whole unknown: a sum that leaves out what
    it does not know would be wrong and not null. `over_time` is for snapshots: `last` takes the last day of each
    bucket, `sum` adds the days.
    """

    name: Name
    dataset: Name
    aggregation: Aggregation
    expression: str | None = None
    where: str | None = None
    unknown_where: str | None = None
    over_time: Literal["last", "sum"] | None = None

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if (self.aggregation == "count") != (self.expression is None):
            raise ValueError("every aggregation but count has an expression, and count has none")
        if self.unknown_where is not None and self.aggregation != "sum":
            raise ValueError("unknown_where belongs to a sum")
        return self


class Metric(_Contract):
    """A number with a meaning.

    simple: `measure`; ratio: `numerator` / `denominator`, each a measure or metric; derived: `expression` over
    measures and metrics; cumulative: `metric` running since the start of `period`; change: `metric` `against` an
    earlier time, as `difference` or as `ratio` of the change to the earlier value.
    """

    name: Name
    label: Text
    description: Text
    type: MetricType
    unit: str = Field(min_length=1)
    format: Format
    direction: Direction
    measure: Name | None = None
    numerator: Name | None = None
    denominator: Name | None = None
    expression: str | None = None
    metric: Name | None = None
    period: Period | None = None
    against: Against | None = None
    as_: Literal["difference", "ratio"] | None = Field(default=None, alias="as")
    kpi: str | None = Field(default=None, description="kpi_code of dim_kpi that holds the target.")
    iso22400: str | None = Field(default=None, description="What ISO 22400-2 calls it.")

    @model_validator(mode="after")
    def _has_what_its_type_needs(self) -> Self:
        needs: dict[MetricType, set[str]] = {
            "simple": {"measure"},
            "ratio": {"numerator", "denominator"},
            "derived": {"expression"},
            "cumulative": {"metric", "period"},
            "change": {"metric", "against", "as_"},
        }
        needed = needs[self.type]
        given = {name for name in set[str]().union(*needs.values()) if getattr(self, name) is not None}
        if missing := sorted(name.rstrip("_") for name in needed - given):
            raise ValueError(f"a {self.type} metric needs {' and '.join(missing)}")
        if extra := sorted(name.rstrip("_") for name in given - needed):
            raise ValueError(f"a {self.type} metric has no {' and no '.join(extra)}")
        return self


class MetricsFile(_Contract):
    """One file of dbt_like_sql/metrics."""

    datasets: tuple[Dataset, ...] = ()
    entities: tuple[Entity, ...] = ()
    dimensions: tuple[Dimension, ...] = ()
    measures: tuple[Measure, ...] = ()
    metrics: tuple[Metric, ...] = ()
