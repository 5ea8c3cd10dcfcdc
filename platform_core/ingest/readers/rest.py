"""REST services: pages of JSON records, asked for politely and read one after another."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any, cast
from urllib.parse import quote, urljoin, urlsplit

import httpx

from platform_core.ingest.contracts import Rejection, SourceRow
from platform_core.ingest.readers.errors import SourceConfigError, SourceUnavailableError
from platform_core.ingest.readers.headers import leave_out_test
from platform_core.ingest.readers.json_reader import first_keys, record_row, walk_path
from platform_core.ingest.readers.options import RestOptions
from platform_core.ingest.readers.rest_client import RestClient
from platform_core.ingest.readers.rest_paging import Page, pages
from platform_core.ingest.readers.secrets import filled_in
from platform_core.ingest.readers.watermarks import as_mark, gone_back, later

_WATERMARK = "{watermark}"


class RestReader:
    """The records of one resource, from `watermark` on where the options say how.

    After the last row, `watermark` is the greatest value seen; store it only when everything read has landed.
    Raises SourceUnavailableError when the service still fails after all retries.
    """

    def __init__(
        self, options: RestOptions, *, watermark: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        if not options.url:
            raise SourceConfigError("A REST source needs `url`.")
        self._options = options
        self._transport = transport
        self.watermark = watermark
        self.left_out = 0

    @property
    def name(self) -> str:
        """The service's host and the resource; never a secret."""
        options = self._options
        parts = urlsplit(f"{options.url}{options.path}")
        return f"{parts.hostname or ''}{parts.path}" or str(options.url)

    def headers(self) -> list[str]:
        """The keys of the first record."""
        return first_keys(self.rows())

    def rows(self) -> Iterator[SourceRow | Rejection]:
        """The records, page by page; numbered from 1 over the whole pull."""
        options = self._options
        self.left_out = 0
        left_out = leave_out_test(options.leave_out)
        with closing(RestClient(options, transport=self._transport)) as client:
            for number, value in enumerate(self._values(client), 1):
                row = record_row(number, value)
                if isinstance(row, SourceRow):
                    if options.incremental is not None:
                        mark = as_mark(walk_path(row.fields, options.incremental.field))
                        self.watermark = later(self.watermark, mark)
                    if left_out and left_out(row.fields):
                        self.left_out += 1
                        continue
                yield row

    def _values(self, client: RestClient) -> Iterator[Any]:
        options = self._options
        url = filled_in(f"{options.url or ''}{options.path}")
        for page in pages(client, url, self.params(), options):
            for value in self._records(page):
                yield self._in_detail(client, value)

    def params(self) -> dict[str, str]:
        """The query of the first request, paging apart."""
        options = self._options
        params = {name: filled_in(value) for name, value in options.params.items()}
        incremental = options.incremental
        if incremental is not None:
            mark = self.watermark or incremental.initial
            if mark is not None:
                mark = gone_back(mark, incremental.overlap_minutes)
                params |= {name: value.replace(_WATERMARK, mark) for name, value in incremental.params.items()}
        return params

    def _records(self, page: Page) -> list[Any]:
        found = walk_path(page.document, self._options.records)
        if isinstance(found, list):
            return cast("list[Any]", found)
        if isinstance(found, dict) and self._options.paging is None:
            return [cast("dict[str, Any]", found)]
        raise SourceUnavailableError(
            f"{self.name} answered without a list of records under `{self._options.records or '(top)'}`.",
            hint="Check `records` in the source's reader.",
        )

    def _in_detail(self, client: RestClient, value: Any) -> Any:
        detail = self._options.detail
        if detail is None or not isinstance(value, dict):
            return value
        listed = cast("dict[str, Any]", value)
        path = detail.path
        for name, item in listed.items():
            path = path.replace(f"{{{name}}}", quote(str(item), safe=""))
        base = filled_in(f"{self._options.url}")
        # Like `path`, it goes below a base address with a path of its own, such as https://host/site.
        address = f"{base}{path}" if path.startswith("/") else urljoin(base, path)
        document = client.get(address, {}).document
        found = walk_path(document, detail.records)
        return cast("Any", {**listed, **found}) if isinstance(found, dict) else found
