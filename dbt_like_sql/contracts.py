"""The typed form of a model's .yml and of the parsed project; unknown keys in a .yml are errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Severity = Literal["error", "warning", "info"]
Layer = Literal["staging", "dimensions", "facts", "marts"]
Materialization = Literal["partitioned_table", "table", "view", "materialized_view"]
Unit = Annotated[str, Field(min_length=1)]

LAYERS: tuple[Layer, ...] = ("staging", "dimensions", "facts", "marts")
SCHEMA_OF_LAYER: Mapping[Layer, str] = {"staging": "staging", "dimensions": "bi", "facts": "bi", "marts": "bi"}


class _Contract(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(_Contract):
    """One column of a model: its PostgreSQL type, unit and meaning, and what its values may be.

    `not_null`, `range` and `values` become expectations of severity `severity`.
    """

    name: str
    type: str
    unit: Unit | None = None
    description: str
    not_null: bool = False
    range: tuple[float | None, float | None] | None = None
    values: tuple[str, ...] | None = None
    severity: Severity = "error"


class Check(_Contract):
    """A named expectation beyond the columns' own; it names the rows that break it.

    Exactly one of `where_broken` (a predicate over the model's columns) and `broken_rows` (a SELECT that returns at
    least tenant_id and, for a model with dates, date). In it the relation `candidate` is the rows under audit,
    `audited` (tenant_id, date, timezone of the tenant) the tenants and dates that are, also those without a row,
    `bi.<model>` the published history, and `:now` the moment of the run. Severity `error` keeps a tenant's date
    unpublished, `warning` and `info` report; a mart has no `error`, as it is checked after its refresh.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    description: str
    severity: Severity
    where_broken: str | None = None
    broken_rows: str | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.where_broken is None) == (self.broken_rows is None):
            raise ValueError("a check has exactly one of where_broken and broken_rows")
        return self


class ModelSpec(_Contract):
    """The .yml beside a model's .sql."""

    description: str
    owner: str = Field(pattern=r"^(team|user):[a-z0-9_.-]+$")
    materialized: Materialization
    grain: tuple[str, ...] = Field(min_length=1)
    partition_by: Literal["month", "quarter"] | None = None
    lookback_days: int = Field(
        default=0, ge=0, description="How many days before a date its rows read from upstream; a change spreads as far."
    )
    columns: tuple[Column, ...] = Field(min_length=1)
    checks: tuple[Check, ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    freshness_hours: int | None = Field(
        default=None, ge=1, description="A warning for a tenant whose newest date with rows ended longer ago than this."
    )

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        for kind, names in (
            ("column", [column.name for column in self.columns]),
            ("check", [check.name for check in self.checks]),
        ):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{kind} {', '.join(twice)} is listed twice")
        if (self.materialized == "partitioned_table") != (self.partition_by is not None):
            raise ValueError("partition_by belongs to a partitioned_table, and each of those needs it")
        if self.freshness_hours is not None and self.partition_by is None:
            raise ValueError("freshness_hours belongs to a partitioned_table: nothing else has dates of its own")
        return self


@dataclass(frozen=True)
class Model:
    """One parsed model: its name, where it lives, its SELECT and what it reads."""

    name: str
    layer: Layer
    spec: ModelSpec
    sql: str
    path: Path
    upstreams: tuple[str, ...]
    """Relations read, schema-qualified and sorted: other models and tables of `core`."""
    digest: str
    """Hash of the SQL's meaning (comments and layout apart) and of what in the contract changes rows."""

    @property
    def schema(self) -> str:
        """The PostgreSQL schema that holds it."""
        return SCHEMA_OF_LAYER[self.layer]

    @property
    def relation(self) -> str:
        """`schema.name`, the model's identity everywhere."""
        return f"{self.schema}.{self.name}"

    @property
    def is_dated(self) -> bool:
        """Whether it is filled date by date (a partitioned table)."""
        return self.spec.materialized == "partitioned_table"
