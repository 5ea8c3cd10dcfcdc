"""A REST ERP on loopback that is as unpleasant as real ones: logins, pages, 429, 500 and slow answers, by seed.

    /<plant>/work_orders        bearer token     page, per_page            {"data": [...], "page": 1, "pages": 9}
    /<plant>/orders             user, password   offset, limit             {"items": [...], "total": 812}
    /<plant>/inventory          X-Api-Key        cursor, limit             {"result": {"rows": [...], "next": "..."}}
    /<plant>/equipment_events   bearer token     Link: <...>; rel="next"   [...]
    /<plant>/api/resource/<Work Order | Job Card | Downtime Entry>[/<name>]   as ERPNext: token key:secret

The first four take `modified_since` (ISO 8601, inclusive) and answer with what changed then or later, oldest first.
"""

import base64
import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from platform_core.factory.contracts import History, Json
from platform_core.factory.erp_data import resources_of
from platform_core.factory.errors import FactoryError

TOKEN = "mock-bearer-token"
USER, PASSWORD = "takt", "mock-password"
API_KEY = "mock-api-key"
ERPNEXT_TOKEN = "mock-key:mock-secret"
_MAX_PAGE = 500


@dataclass(frozen=True, slots=True)
class Trouble:
    """How often an address fails on its first attempt, and how; the second attempt at the same address succeeds."""

    share: float = 0.2
    retry_after_seconds: int = 1
    slow_seconds: float = 0.3


@dataclass(slots=True)
class _Answer:
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict[str, str])


class _Refusal(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class MockErp:
    """The server; a context manager. `requests` counts the answers given, by status.

    Raises FactoryError when the port is taken.
    """

    def __init__(
        self, histories: Sequence[History], *, seed: int = 1, port: int = 0, trouble: Trouble | None = None
    ) -> None:
        self.resources = {history.plant.slug: resources_of(history) for history in histories}
        self.requests: dict[int, int] = {}
        self._seed = seed
        self._trouble = trouble or Trouble()
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        except OSError as error:
            raise FactoryError(
                f"The mock ERP can't have port {port}: {error}.", hint="Port 0 takes a free one."
            ) from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        """Answer requests from now on, in threads."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait(self) -> None:
        """Return when the server is stopped."""
        self._thread.join()

    def __enter__(self) -> "MockErp":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def answer(self, target: str, authorization: str | None, api_key: str | None) -> _Answer:
        """The answer to GET `target`."""
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        path = [unquote(each) for each in parts.path.strip("/").split("/")]
        try:
            plant, resource = self._find(path)
            _authorise(resource, authorization, api_key)
            if refusal := self._trouble_with(target):
                return refusal
            rows = self.resources[plant][resource]
            if resource[0].isupper():
                return _erpnext(rows, path[4:], query)
            rows = _since(rows, query)
            return _PAGING[resource](rows, query, f"{self.url}/{quote(plant)}/{resource}")
        except _Refusal as refusal:
            return _Answer(refusal.status, {"error": str(refusal)})

    def _find(self, path: Sequence[str]) -> tuple[str, str]:
        plant, *rest = path
        name = rest[2] if rest[:2] == ["api", "resource"] and len(rest) in (3, 4) else rest[0] if len(rest) == 1 else ""
        is_known = name in self.resources.get(plant, {}) and name[0].isupper() == (len(rest) > 1)
        if not is_known:
            raise _Refusal(404, f"There is no {'/'.join(path)} here.")
        return plant, name

    def _trouble_with(self, target: str) -> _Answer | None:
        """A 429, a 500, or a slow page, decided by the seed and the address; only at the first attempt."""
        with self._lock:
            if target in self._seen:
                return None
            self._seen.add(target)
        random = Random(f"{self._seed}/{target}")
        if random.random() >= self._trouble.share:
            return None
        kind = random.choice(("limit", "crash", "slow"))
        if kind == "limit":
            wait = str(self._trouble.retry_after_seconds)
            return _Answer(429, {"error": "Too many requests."}, {"Retry-After": wait})
        if kind == "crash":
            return _Answer(500, {"error": "Internal server error."})
        time.sleep(self._trouble.slow_seconds)
        return None

    def count(self, status: int) -> None:
        """Note an answer given."""
        with self._lock:
            self.requests[status] = self.requests.get(status, 0) + 1


def _handler(erp: MockErp) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer = erp.answer(self.path, self.headers.get("Authorization"), self.headers.get("X-Api-Key"))
            erp.count(answer.status)
            content = json.dumps(answer.body, ensure_ascii=False).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: `requests` counts."""

    return Handler


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _authorise(resource: str, authorization: str | None, api_key: str | None) -> None:
    if resource == "inventory":
        is_allowed = api_key == API_KEY
    elif resource == "orders":
        is_allowed = authorization == _basic(USER, PASSWORD)
    elif resource[0].isupper():
        is_allowed = authorization == f"token {ERPNEXT_TOKEN}"
    else:
        is_allowed = authorization == f"Bearer {TOKEN}"
    if not is_allowed:
        raise _Refusal(401, "Who are you?")


def _number(query: Mapping[str, str], name: str, default: int, highest: int = 10**9) -> int:
    try:
        value = int(query.get(name, default))
    except ValueError:
        raise _Refusal(400, f"{name} is not a number.") from None
    if value < 0:
        raise _Refusal(400, f"{name} is negative.")
    return min(value, highest)


def _since(rows: list[Json], query: Mapping[str, str]) -> list[Json]:
    text = query.get("modified_since")
    if text is None:
        return rows
    try:
        since = datetime.fromisoformat(text)
        return [row for row in rows if datetime.fromisoformat(row["updated_at"]) >= since]
    except (ValueError, TypeError):
        raise _Refusal(400, "modified_since is not a time with an offset.") from None


def _by_page(rows: list[Json], query: Mapping[str, str], _: str) -> _Answer:
    size = max(_number(query, "per_page", 100, _MAX_PAGE), 1)
    page = max(_number(query, "page", 1), 1)
    return _Answer(
        200, {"data": rows[(page - 1) * size : page * size], "page": page, "pages": -(-len(rows) // size) or 1}
    )


def _by_offset(rows: list[Json], query: Mapping[str, str], _: str) -> _Answer:
    start = _number(query, "offset", 0)
    return _Answer(200, {"items": rows[start : start + _number(query, "limit", 100, _MAX_PAGE)], "total": len(rows)})


def _by_cursor(rows: list[Json], query: Mapping[str, str], _: str) -> _Answer:
    """The token hides the place, as it does elsewhere, so that nobody counts with it."""
    size = max(_number(query, "limit", 100, _MAX_PAGE), 1)
    try:
        start = int(base64.urlsafe_b64decode(query["cursor"])) if query.get("cursor") else 0
    except ValueError:
        raise _Refusal(400, "That cursor is not one of ours.") from None
    end = start + size
    token = base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(rows) else None
    return _Answer(200, {"result": {"rows": rows[start:end], "next": token}})


def _by_link(rows: list[Json], query: Mapping[str, str], address: str) -> _Answer:
    size = max(_number(query, "limit", 100, _MAX_PAGE), 1)
    start = _number(query, "start", 0)
    headers: dict[str, str] = {}
    if start + size < len(rows):
        following = urlencode({**query, "start": start + size, "limit": size})
        headers["Link"] = f'<{address}?{following}>; rel="next"'
    return _Answer(200, rows[start : start + size], headers)


_PAGING = {"work_orders": _by_page, "orders": _by_offset, "inventory": _by_cursor, "equipment_events": _by_link}


def _erpnext(rows: list[Json], name: Sequence[str], query: Mapping[str, str]) -> _Answer:
    """A list as Frappe gives it (only `name` unless `fields` asks for more, never child tables), or one document."""
    if name:
        found = [row for row in rows if row["name"] == name[0]]
        return _Answer(200, {"data": found[0]}) if found else _Answer(404, {"exc_type": "DoesNotExistError"})
    try:
        fields = json.loads(query.get("fields", '["name"]'))
        filters = json.loads(query.get("filters", "[]"))
    except ValueError:
        raise _Refusal(417, "fields and filters are JSON.") from None
    rows = [row for row in rows if all(_matches(row, condition) for condition in filters)]
    start = _number(query, "limit_start", 0)
    # Frappe: 20 rows unless told, 0 means all.
    size = _number(query, "limit_page_length", _number(query, "limit", 20)) or len(rows)
    return _Answer(200, {"data": [_selected(row, fields) for row in rows[start : start + size]]})


def _selected(row: Json, fields: Sequence[str]) -> Json:
    flat = {name: value for name, value in row.items() if not isinstance(value, list)}
    return flat if "*" in fields else {name: flat.get(name) for name in fields}


def _matches(row: Json, condition: Sequence[Any]) -> bool:
    """A Frappe filter: [field, operator, value] or [doctype, field, operator, value]."""
    name, operator, value = condition[-3:]
    actual = row.get(name)
    if operator == "is":
        return (actual is not None) == (value == "set")
    if actual is None:
        return False
    if operator in (">", ">="):
        return str(actual) > str(value) or (operator == ">=" and str(actual) == str(value))
    if operator == "in":
        return actual in value
    if operator in ("=", "!="):
        return (str(actual) == str(value)) == (operator == "=")
    raise _Refusal(417, f"The operator {operator} is not known here.")
