"""The document as the core specification 0.2.0.dev0 has it: the same keys, required and allowed, and no others."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

VERSION = "0.2.0.dev0"
"""The newest version that has been published; there is no 1.0 yet."""

VENDOR = "TAKT"
Dialect = Literal["ANSI_SQL", "SNOWFLAKE", "MDX", "TABLEAU", "DATABRICKS", "MAQL", "BIGQUERY", "THOUGHTSPOT"]
DataType = Literal[
    "String", "Integer", "Decimal", "Float", "Boolean", "Date", "Time", "DateTime", "DateTimeTz", "Opaque"
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DialectExpression(_Part):
    """An expression in one language."""

    dialect: Dialect
    expression: str


class OsiExpression(_Part):
    """An expression in one or more languages."""

    dialects: tuple[DialectExpression, ...] = Field(min_length=1)


class Extension(_Part):
    """What only one vendor understands: JSON as text."""

    vendor_name: str
    data: str


class _Described(_Part):
    description: str | None = None
    ai_context: str | dict[str, Any] | None = None
    custom_extensions: tuple[Extension, ...] | None = None


class TimeRole(_Part):
    """That a field is something to group by, and whether it is a time."""

    is_time: bool | None = None


class OsiField(_Described):
    """A column or an expression of one row."""

    name: str
    expression: OsiExpression
    dimension: TimeRole | None = None
    label: str | None = None
    datatype: DataType | None = None


class OsiMetric(_Described):
    """A number over rows; names fields as dataset.field."""

    name: str
    expression: OsiExpression
    datatype: DataType | None = None


class OsiDataset(_Described):
    """A table, view or query."""

    name: str
    source: str | dict[str, Any]
    primary_key: tuple[str, ...] | None = None
    unique_keys: tuple[tuple[str, ...], ...] | None = None
    fields: tuple[OsiField, ...] | None = None
    metrics: tuple[OsiMetric, ...] | None = None


class OsiRelationship(_Part):
    """A foreign key: many of `from` to one of `to`."""

    name: str
    from_: str = Field(alias="from")
    to: str
    from_columns: tuple[str, ...] = Field(min_length=1)
    to_columns: tuple[str, ...] = Field(min_length=1)
    ai_context: str | dict[str, Any] | None = None
    custom_extensions: tuple[Extension, ...] | None = None


class OsiModel(_Described):
    """One semantic model."""

    name: str
    datasets: tuple[OsiDataset, ...] = Field(min_length=1)
    relationships: tuple[OsiRelationship, ...] | None = None
    metrics: tuple[OsiMetric, ...] | None = None


class OsiDocument(_Part):
    """The whole file."""

    version: str
    semantic_model: tuple[OsiModel, ...]
