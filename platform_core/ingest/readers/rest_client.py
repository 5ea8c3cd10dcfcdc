"""One polite HTTP client: authentication, time limits, retries that wait longer each time and obey Retry-After."""

import email.utils
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from platform_core.clock import utc_now
from platform_core.ingest.readers.errors import SourceUnavailableError
from platform_core.ingest.readers.json_reader import parse_document
from platform_core.ingest.readers.options import ApiKey, Basic, RestOptions
from platform_core.ingest.readers.secrets import filled_in

_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_AWAY = frozenset({502, 503, 504})
"""What a gateway answers in the place of a server that is away."""
_LONGEST_BACKOFF = 60.0


@dataclass(frozen=True)
class Answer:
    """A successful answer: its JSON, and the address and headers that paging may need."""

    document: Any
    url: str
    next_link: str | None


class RestClient:
    """Gets JSON documents from one service; secrets are taken from the environment and appear in no message."""

    def __init__(
        self,
        options: RestOptions,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._options = options
        self._sleep = sleep
        headers = {name: filled_in(value) for name, value in options.headers.items()}
        self._query: dict[str, str] = {}
        auth: httpx.Auth | None = None
        if isinstance(options.auth, Basic):
            auth = httpx.BasicAuth(filled_in(options.auth.username), filled_in(options.auth.password))
        elif isinstance(options.auth, ApiKey):
            key = filled_in(options.auth.key)
            if options.auth.header:
                headers[options.auth.header] = key
            elif options.auth.query:
                self._query[options.auth.query] = key
        elif options.auth is not None:
            headers["Authorization"] = f"{options.auth.scheme} {filled_in(options.auth.token)}"
        self._origin = urlsplit(filled_in(options.url or ""))[:2]
        self._client = httpx.Client(
            headers={"Accept": "application/json", **headers},
            auth=auth,
            timeout=options.timeout_seconds,
            follow_redirects=False,
            transport=transport,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, url: str, params: dict[str, str]) -> Answer:
        """The answer to a GET; raises SourceUnavailableError when it fails for good."""
        self._stay_at_home(url)
        failure, away = "", False
        for attempt in range(self._options.retries + 1):
            try:
                response = self._client.get(httpx.URL(url).copy_merge_params({**params, **self._query}))
            except httpx.TransportError as error:
                failure, away = f"{type(error).__name__}", True
                wait = self._backoff(attempt)
            else:
                if response.status_code not in _TRY_AGAIN:
                    return self._answer(response, url)
                failure, away = f"status {response.status_code}", response.status_code in _AWAY
                wait = self._wait(response, attempt, url)
            if attempt < self._options.retries:
                self._sleep(wait)
        raise SourceUnavailableError(
            f"{_shown(url)} failed {self._options.retries + 1} times, the last time with {failure}.",
            hint="Nothing was lost: the next pull goes on from the same place.",
            server_is_away=away,
        )

    def _answer(self, response: httpx.Response, url: str) -> Answer:
        if not response.is_success:
            hint = "Check the source's `auth`." if response.status_code in (401, 403) else None
            raise SourceUnavailableError(f"{_shown(url)} answered with status {response.status_code}.", hint=hint)
        document = parse_document(response.text)
        if isinstance(document, ValueError):
            raise SourceUnavailableError(f"{_shown(url)} did not answer with JSON: {document}.")
        link = response.links.get("next", {}).get("url")
        return Answer(document, url, link)

    def _stay_at_home(self, url: str) -> None:
        # The address of a next page comes from the answer; following it elsewhere would hand the secrets to a stranger.
        if urlsplit(url)[:2] != self._origin:
            raise SourceUnavailableError(f"The service refers to another server ({urlsplit(url).hostname}).")

    def _backoff(self, attempt: int) -> float:
        return min(self._options.backoff_seconds * 2**attempt, _LONGEST_BACKOFF)

    def _wait(self, response: httpx.Response, attempt: int, url: str) -> float:
        asked = _retry_after(response.headers.get("Retry-After"))
        if asked is None:
            return self._backoff(attempt)
        if asked > self._options.max_wait_seconds:
            raise SourceUnavailableError(
                f"{_shown(url)} asks to wait {asked:.0f} seconds, longer than `max_wait_seconds`."
            )
        return asked


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait, from a number or from an HTTP date; None when the header is absent or says nothing."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment - utc_now()).total_seconds()) if moment.tzinfo else None


def _shown(url: str) -> str:
    """An address without user, password and query, which may hold secrets."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"
