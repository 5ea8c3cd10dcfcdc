"""Gives every request an id and a trace id, says both in the answer's headers and in one log line."""

import logging
import re
import time
from dataclasses import dataclass
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}").fullmatch
_TRACE_ID = re.compile(r"[0-9a-f]{32}").fullmatch
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}").fullmatch
_NO_TRACE = "0" * 32

_log = logging.getLogger("takt.api")


@dataclass(frozen=True)
class RequestIds:
    """What names a request: `request_id` this one, `trace_id` everything that one action of the caller has set off."""

    request_id: str
    trace_id: str
    started: float
    """time.perf_counter() at its arrival."""

    @property
    def milliseconds(self) -> float:
        """How long it has taken so far."""
        return round((time.perf_counter() - self.started) * 1000, 3)


class IdsMiddleware:
    """Takes X-Request-ID and traceparent (or X-Trace-ID) from the caller where they are well formed, else new ones."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; only HTTP requests get ids."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        ids = _ids(Headers(scope=scope))
        scope.setdefault("state", {})["ids"] = ids
        status = 500

        async def send_with_ids(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update({"X-Request-ID": ids.request_id, "X-Trace-ID": ids.trace_id})
            await send(message)

        try:
            await self._app(scope, receive, send_with_ids)
        finally:
            # The path without its query, which may hold what nobody should read in a log.
            _log.info(
                "%s %s %s %.1f ms request_id=%s trace_id=%s",
                scope["method"],
                scope["path"],
                status,
                ids.milliseconds,
                ids.request_id,
                ids.trace_id,
            )


def ids_of(request: Request) -> RequestIds:
    """The ids of a request; made now for one that failed before the middleware saw it."""
    known: RequestIds | None = request.scope.get("state", {}).get("ids")
    return known or _ids(request.headers)


def _ids(headers: Headers) -> RequestIds:
    given = headers.get("x-request-id", "")
    request_id = given if _REQUEST_ID(given) else str(uuid4())
    parent = _TRACEPARENT(headers.get("traceparent", ""))
    trace_id = parent.group(1) if parent else headers.get("x-trace-id", "").replace("-", "").lower()
    if not _TRACE_ID(trace_id) or trace_id == _NO_TRACE:
        trace_id = uuid4().hex
    return RequestIds(request_id, trace_id, time.perf_counter())
