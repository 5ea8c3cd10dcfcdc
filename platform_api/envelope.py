"""The one shape of every JSON answer: `data` or `error`, and `meta` that says which request it answers."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from platform_api.ids import ids_of
from platform_core.clock import utc_now

MAX_PAGE_SIZE = 100

T = TypeVar("T")


class Meta(BaseModel):
    """Which request an answer belongs to, and how long it took."""

    request_id: str
    trace_id: str
    timestamp: datetime
    duration_ms: float


class Pagination(BaseModel):
    """Where a page stands in its list."""

    page: int
    page_size: int
    total_items: int
    total_pages: int
    has_next: bool
    has_prev: bool

    @classmethod
    def of(cls, page: int, page_size: int, total_items: int) -> "Pagination":
        """The place of a page, counted from 1; an empty list has no page and neither neighbour."""
        pages = -(-total_items // page_size)
        return cls(
            page=page,
            page_size=page_size,
            total_items=total_items,
            total_pages=pages,
            has_next=page < pages,
            has_prev=page > 1 and pages > 0,
        )


class Answer(BaseModel, Generic[T]):
    """A request that went well."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    success: Literal[True] = True
    data: T
    meta: Meta


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    success: Literal[True] = True
    data: list[T]
    pagination: Pagination
    meta: Meta


class Problem(BaseModel):
    """What went wrong: a stable code, a sentence in the caller's language, the particulars, and where to read more."""

    code: str = Field(examples=["ERR_VALIDATION"])
    message: str
    detail: Any = None
    doc_url: str


class Failure(BaseModel):
    """A request that could not be served."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    success: Literal[False] = False
    error: Problem
    meta: Meta


def meta_of(request: Request) -> Meta:
    """The meta of an answer that is made now."""
    ids = ids_of(request)
    return Meta(request_id=ids.request_id, trace_id=ids.trace_id, timestamp=utc_now(), duration_ms=ids.milliseconds)
