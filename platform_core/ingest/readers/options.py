"""What a mapping or a source may say about how its rows are read; docs/mappings.md explains each for a user."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator


class Strict(BaseModel):
    """A part of a YAML file: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LeaveOut(Strict):
    """Rows that are not records (totals, repeated headings, other statuses); they are counted, not read."""

    field: str
    values: tuple[str, ...] | None = None
    """Left out when the field's text is one of these."""
    not_values: tuple[str, ...] | None = None
    """Left out when the field's text is none of these."""
    empty: bool | None = None
    """true: left out when the field is empty; false: when it is not."""
    contains: tuple[str, ...] | None = None
    """Left out when the field's text contains one of these."""

    @model_validator(mode="after")
    def _one_condition(self) -> "LeaveOut":
        given = [x for x in (self.values, self.not_values, self.empty, self.contains) if x is not None]
        if len(given) != 1:
            raise ValueError("needs exactly one of values, not_values, empty, contains")
        return self


class RowOptions(Strict):
    """What every reader understands."""

    leave_out: tuple[LeaveOut, ...] = ()
    expected: tuple[str, ...] = ()
    """Names the mapping reads; filled in by the mapping, they find the header row and settle letter case."""


class FileOptions(RowOptions):
    """How a file is read; everything not said is found out from the file."""

    type: Literal["file"] = "file"
    format: Literal["auto", "csv", "json_lines", "json", "excel"] = "auto"
    encoding: str | None = None
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    quote: str = Field(default='"', min_length=1, max_length=1)
    header_row: int | None = Field(default=None, ge=1)
    """Line (or sheet row) of the header, 1-based."""
    header_rows: int | None = Field(default=None, ge=1, le=5)
    """How many rows the header takes; their texts are joined by a space. Excel finds it from merged cells."""
    columns: tuple[str, ...] | None = None
    """Names for a file without a header."""
    ragged: Literal["reject", "pad"] = "reject"
    """What a row with too few cells is: a rejection, or a row whose last cells are empty."""
    max_record_lines: int = Field(default=200, ge=1)
    """Lines that one quoted record may take; beyond it the quote counts as never closed."""
    fill_down: tuple[str, ...] = ()
    """Columns whose empty cells repeat the cell above."""
    records: str | None = None
    """JSON: dotted path of the array, for example `data.items`."""
    sheets: tuple[str, ...] | None = None
    """Excel: sheets to read, by name or glob; default every sheet with rows, hidden ones left out."""
    fill_merged: bool | tuple[str, ...] = True
    """Excel: a merged cell's value counts for all its cells; or only in these columns."""


class Bearer(Strict):
    """`Authorization: Bearer <token>`."""

    type: Literal["bearer"]
    token: str
    scheme: str = "Bearer"
    """What stands before the token; Frappe wants `token`."""


class Basic(Strict):
    """HTTP basic authentication."""

    type: Literal["basic"]
    username: str
    password: str


class ApiKey(Strict):
    """A key in a header or in the query."""

    type: Literal["api_key"]
    key: str
    header: str | None = None
    query: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> "ApiKey":
        if (self.header is None) == (self.query is None):
            raise ValueError("needs exactly one of header, query")
        return self


Auth = Annotated[Bearer | Basic | ApiKey, Field(discriminator="type")]


class PagePaging(Strict):
    """Pages counted by number, until one is empty, or short of the `size` that `size_parameter` asks for."""

    style: Literal["page"]
    parameter: str = "page"
    first: int = 1
    size_parameter: str | None = None
    size: int = Field(default=100, ge=1)


class OffsetPaging(Strict):
    """Pages counted by rows, until one is empty: a short one may be all that the service gives at a time."""

    style: Literal["offset"]
    parameter: str = "offset"
    size_parameter: str | None = "limit"
    size: int = Field(default=100, ge=1)


class CursorPaging(Strict):
    """The answer holds a token that the next request sends."""

    style: Literal["cursor"]
    parameter: str = "cursor"
    path: str
    """Dotted path of the token in the answer."""
    size_parameter: str | None = None
    size: int = Field(default=100, ge=1)


class LinkPaging(Strict):
    """The answer's `Link` header names the next page (RFC 8288)."""

    style: Literal["link"]


class NextUrlPaging(Strict):
    """The answer holds the address of the next page."""

    style: Literal["next_url"]
    path: str


Paging = Annotated[PagePaging | OffsetPaging | CursorPaging | LinkPaging | NextUrlPaging, Field(discriminator="style")]


class RestIncremental(Strict):
    """Ask only for what changed since the greatest value of a field seen before."""

    field: str
    """Dotted path in a record."""
    params: dict[str, str]
    """Query parameters, with `{watermark}` where the value goes; they replace those of the same name."""
    initial: str | None = None
    """What the first pull starts from; without it, the first pull sends no such parameter."""
    overlap_minutes: float = Field(default=0, ge=0)
    """Goes back this far, for records that were committed late; what is read twice lands as unchanged."""


class RestDates(Strict):
    """How the service is asked for production dates, whatever was pulled before."""

    params: dict[str, str]
    """Query parameters with `{from}` and `{to}` (the dates), or `{after}` (the one after the last) in their place; they
    replace those of the same name."""
    type: Literal["timestamp", "date"] = "timestamp"
    """A time needs a day more on either side: a night shift and another zone reach into the neighbours."""


class RestDetail(Strict):
    """A second request for each listed record, where the list leaves parts out."""

    path: str
    """Address with `{field}` of the listed record, for example `/api/resource/Job Card/{name}`."""
    records: str | None = None


class RestOptions(RowOptions):
    """How a REST service is read."""

    type: Literal["rest"]
    url: str | None = None
    path: str = ""
    params: dict[str, str] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    auth: Auth | None = None
    records: str | None = None
    paging: Paging | None = None
    incremental: RestIncremental | None = None
    dates: RestDates | None = None
    detail: RestDetail | None = None
    timeout_seconds: float = Field(default=30, gt=0, le=600)
    retries: int = Field(default=5, ge=0, le=20)
    backoff_seconds: float = Field(default=1, ge=0, le=60)
    """Wait before the first retry; it doubles each time, up to a minute, unless the service says Retry-After."""
    max_wait_seconds: float = Field(default=300, ge=0)
    """The longest Retry-After that is obeyed; a longer one ends the pull with an error."""
    max_pages: int = Field(default=100_000, ge=1)


class SqlIncremental(Strict):
    """Read only rows whose column is at or above the greatest value seen before, or empty."""

    column: str
    initial: str | None = None
    type: Literal["timestamp", "number", "text"] = "timestamp"
    overlap_minutes: float = Field(default=0, ge=0)


class SqlDates(Strict):
    """The column by which the database is asked for production dates, whatever was pulled before."""

    column: str
    type: Literal["timestamp", "date", "text"] = "timestamp"
    """A time needs a day more on either side: a night shift and another zone reach into the neighbours."""
    format: str = "%Y-%m-%d"
    """Of a date that is kept as text, as strftime writes it."""


class SqlOptions(RowOptions):
    """How a database is read."""

    type: Literal["sql"]
    url: str | None = None
    """A SQLAlchemy URL; secrets as `${NAME}`."""
    query: str | None = None
    """One SELECT, without a semicolon."""
    table: str | None = None
    """Instead of a query: a table or view, with schema if need be."""
    incremental: SqlIncremental | None = None
    dates: SqlDates | None = None
    between: tuple[date, date] | None = Field(default=None, exclude=True)
    """Filled in for one pull: from the first, up to and without the second."""
    fetch: int = Field(default=5000, ge=1, le=100_000)
    connect_args: dict[str, Any] = Field(default_factory=dict)


def _type_of(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("type", "file"))  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
    return str(getattr(value, "type", "file"))


ReaderOptions = Annotated[
    Annotated[FileOptions, Tag("file")] | Annotated[RestOptions, Tag("rest")] | Annotated[SqlOptions, Tag("sql")],
    Discriminator(_type_of),
]
