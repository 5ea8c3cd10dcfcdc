"""What a trace shows: a tree of rows, each with the rows of other relations that it was made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

Values = Mapping[str, Any]
BranchKind = Literal["rows", "dimension", "records"]


@dataclass(frozen=True)
class Version:
    """One version of a record, and where it stands in its source."""

    source_system: str
    record_type: str
    source_pk: str
    source_version: int
    business_date: date | None
    """None for master data."""
    received_at: datetime
    source_name: str | None
    """The file, or the service and resource, that the load read."""
    source_row: int
    """Line of the file, or position in the service's answer."""
    is_current: bool
    payload: Values = field(hash=False)


@dataclass(frozen=True)
class TracedRecord:
    """A raw record: the version that the row was made from first, where it is known, then the others, newest first."""

    versions: tuple[Version, ...]
    corrected_since: bool = False
    """The current version is not the one that the row was made from: the row is to be made anew."""
    moved_to: date | None = None
    """The date that a correction moved the record to, where that is not the row's."""


@dataclass(frozen=True)
class TracedRow:
    """A row of a model: all its values, which of them are of interest, and what it was made from."""

    relation: str
    key: Values
    values: Values
    shown: tuple[str, ...]
    """Columns that the number asked for is made of, key apart."""
    branches: "tuple[Branch, ...]" = ()


@dataclass(frozen=True)
class Branch:
    """The rows of one upstream relation that a row was made from; `total` counts also those left out of the list.

    With `through_window` they are those that count beside its own rows because of a window (a moving average, a start
    and its end); they are listed without their own ancestry.
    """

    relation: str
    kind: BranchKind
    total: int
    rows: tuple[TracedRow, ...] = ()
    records: tuple[TracedRecord, ...] = ()
    through_window: bool = False
    archive_file: str | None = None
    """Where the rows went: their date is sealed."""


@dataclass(frozen=True)
class Trace:
    """The answer: the rows asked for and their whole ancestry; `total` counts also those left out of `rows`."""

    relation: str
    tenant: str
    where: Values
    total: int
    rows: tuple[TracedRow, ...]
    states: tuple["DateState", ...] = field(default=())


@dataclass(frozen=True)
class DateState:
    """How a date of the traced model stands, where that is not simply published and clean."""

    date: date
    state: str | None
    reason: str | None
    dirty_because: str | None
