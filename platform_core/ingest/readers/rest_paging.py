"""The styles in which services cut their answers into pages."""

from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import urljoin

from platform_core.ingest.readers.errors import SourceUnavailableError
from platform_core.ingest.readers.json_reader import walk_path
from platform_core.ingest.readers.options import (
    CursorPaging,
    LinkPaging,
    NextUrlPaging,
    OffsetPaging,
    PagePaging,
    RestOptions,
)
from platform_core.ingest.readers.rest_client import Answer, RestClient

Page = Answer


def pages(client: RestClient, url: str, params: dict[str, str], options: RestOptions) -> Iterator[Page]:
    """Every page from the first to the last, in the style that the options name."""
    paging = options.paging
    if paging is None:
        yield client.get(url, params)
    elif isinstance(paging, PagePaging | OffsetPaging):
        yield from _counted(client, url, params, options, paging)
    else:
        yield from _chained(client, url, params, options, paging)


def _counted(
    client: RestClient, url: str, params: dict[str, str], options: RestOptions, paging: PagePaging | OffsetPaging
) -> Iterator[Page]:
    size = {paging.size_parameter: str(paging.size)} if paging.size_parameter else {}
    offset = 0
    for number in range(options.max_pages):
        place = paging.first + number if isinstance(paging, PagePaging) else offset
        page = client.get(url, {**params, **size, paging.parameter: str(place)})
        count = _count(page, options.records)
        if count:
            yield page
        # A service may give fewer than it was asked for; only one that was told the size ends with a short page.
        if count == 0 or (size and count < paging.size and isinstance(paging, PagePaging)):
            return
        offset += count
    raise _endless(options)


def _chained(
    client: RestClient,
    url: str,
    params: dict[str, str],
    options: RestOptions,
    paging: CursorPaging | LinkPaging | NextUrlPaging,
) -> Iterator[Page]:
    size = (
        {paging.size_parameter: str(paging.size)} if isinstance(paging, CursorPaging) and paging.size_parameter else {}
    )
    query: dict[str, str] = {**params, **size}
    address = url
    seen: set[str] = set()
    for _ in range(options.max_pages):
        page = client.get(address, query)
        yield page
        place = page.next_link if isinstance(paging, LinkPaging) else walk_path(page.document, paging.path)
        if place is None or place == "" or place is False:
            return
        if str(place) in seen:
            raise SourceUnavailableError(f"The service gave the same next page twice ({str(place)[:80]}).")
        seen.add(str(place))
        if isinstance(paging, CursorPaging):
            query = {**params, **size, paging.parameter: str(place)}
        else:
            address, query = urljoin(address, str(place)), {}
    raise _endless(options)


def _count(page: Page, path: str | None) -> int:
    found: Any = walk_path(page.document, path)
    return len(cast("list[Any]", found)) if isinstance(found, list) else 1


def _endless(options: RestOptions) -> SourceUnavailableError:
    return SourceUnavailableError(
        f"The service still has pages after {options.max_pages}.", hint="Raise `max_pages`, or check `paging`."
    )
