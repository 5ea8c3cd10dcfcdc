"""What readers, mappings and landing hand to one another, and what a load reports."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

Payload = dict[str, Any]


class SourceRow(NamedTuple):
    """One row as the source gave it: values by source field name, and the original text for a person to read."""

    number: int
    """Line in the file (1-based, the header counts), or position in the answer of a service."""
    fields: Mapping[str, Any]
    text: str


class MappedRecord(NamedTuple):
    """A source row in the canonical form of its record type (see `record_types`), values JSON-ready."""

    number: int
    source_pk: str
    source_version: int | None
    """The mapping's change time (microseconds since 1970 UTC) or sequence number; None: the last to arrive wins."""
    payload: Payload
    text: str
    business_date: date | None = None
    """Only where the mapping names it; otherwise landing derives it from the payload, shift and zone."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that cannot be used: why, which field, which value, and the original text."""

    number: int
    code: str
    field: str | None
    value: str | None
    message: str
    text: str
    source_pk: str | None = None
    """The record's key, where it is known together with the version."""
    source_version: int | None = None


class Reader(Protocol):
    """A source of rows. Iterating yields a Rejection in place of a row that cannot even be read."""

    @property
    def name(self) -> str:
        """What `core.load.source_name` records: a file's path, or a service's name and resource."""
        ...

    def rows(self) -> Iterable[SourceRow | Rejection]:
        """The rows from first to last, read as they are asked for."""
        ...


@dataclass(frozen=True)
class LoadRequest:
    """What one load is about; one file, sheet or pull is one load."""

    tenant_id: UUID
    source_system: str
    record_type: str
    source_name: str
    mapping_name: str
    mapping_digest: str
    strict: bool = False
    retry_of: UUID | None = None
    columns: tuple[str, ...] | None = None
    """Names of a delimited file's columns, kept with rejected lines so that they can be read again."""
    arrived_at: datetime | None = None
    """When the rows came; rejected ones keep it, since they count as having come then also when they land later."""
    file_digest: str | None = None
    """What tells the file, sheet or member read from any other; None where there is no file."""
    first_arrived_at: datetime | None = None
    """When the same file came first, if it was read before: its rows without a version count as having come then."""


@dataclass
class Outcomes:
    """How each row read ended; the six add up to `rows_read`."""

    landed: int = 0
    corrected: int = 0
    unchanged: int = 0
    outdated: int = 0
    late_sealed: int = 0
    rejected: int = 0

    @property
    def rows_read(self) -> int:
        """All rows that the reader gave."""
        return self.landed + self.corrected + self.unchanged + self.outdated + self.late_sealed + self.rejected


@dataclass(frozen=True)
class LoadResult:
    """The report of one finished load, as stored in `core.load`."""

    load_id: UUID
    request: LoadRequest
    outcomes: Outcomes
    dates: tuple[date, ...]
    """Production dates whose facts the load made dirty."""
    rejected_by_code: Mapping[str, int] = field(default_factory=dict[str, int])
    warnings: tuple[str, ...] = ()
