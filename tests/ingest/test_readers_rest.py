"""The REST reader against a real HTTP server that pages, refuses, fails and dawdles."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from pydantic import TypeAdapter

from platform_core.ingest.contracts import MappedRecord, Rejection, SourceRow
from platform_core.ingest.mapping import compile_mapping, load_mapping, reader_options
from platform_core.ingest.mapping.catalogue import SHIPPED
from platform_core.ingest.readers import RestOptions, SourceConfigError, SourceUnavailableError, open_reader
from platform_core.ingest.readers.rest import RestReader

SAMPLES = Path(__file__).parent / "samples"
EXPECTED: dict[str, Any] = json.loads((SAMPLES / "expected.json").read_text("utf-8"))
OPTIONS = TypeAdapter(RestOptions)


Answer = Callable[["Script", str, dict[str, str]], tuple[Any, dict[str, str]]]


@dataclass
class Script:
    """What the server does next, and what it was asked."""

    records: list[Any] = field(default_factory=lambda: [{"id": n, "at": f"2025-03-05 08:0{n}:00"} for n in range(7)])
    failures: list[tuple[int, dict[str, str]]] = field(default_factory=list[tuple[int, dict[str, str]]])
    delay: float = 0
    body: bytes | None = None
    elsewhere: bool = False
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(
        default_factory=list[tuple[str, dict[str, str], dict[str, str]]]
    )
    base: str = ""
    answer: "Answer | None" = None


def _answer(script: Script, path: str, query: dict[str, str]) -> tuple[Any, dict[str, str]]:
    size = int(query.get("size", "3"))
    kind = path.strip("/").split("/")[0]
    start = int(query.get("offset", query.get("cursor", "0")))
    if kind == "page":
        start = (int(query.get("page", "1")) - 1) * size
    part = script.records[start : start + size]
    after = start + size if start + size < len(script.records) else None
    if kind == "all":
        return script.records, {}
    document: dict[str, Any] = {"data": {"items": part}}
    headers: dict[str, str] = {}
    if after is not None:
        document["next"] = after if kind == "cursor" else f"/{kind}?offset={after}&size={size}"
        if script.elsewhere:
            document["next"] = "http://127.0.0.2:9/next?offset=3"
        headers["Link"] = f'<{script.base}/link?offset={after}&size={size}>; rel="next", <{script.base}/>; rel="first"'
    return document, headers


@pytest.fixture
def script() -> Iterator[Script]:
    told = Script()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            told.asked.append((unquote(url.path), query, dict(self.headers)))
            if told.failures:
                status, headers = told.failures.pop(0)
                document: Any = {"error": "later"}
            else:
                time.sleep(told.delay)
                status = 200
                document, headers = (told.answer or _answer)(told, unquote(url.path), query)
            content = told.body if told.body is not None else json.dumps(document).encode()
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:  # the client gave up waiting
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.base = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


def reader(script: Script, path: str = "/all", watermark: str | None = None, **options: Any) -> RestReader:
    made = {"type": "rest", "url": script.base, "path": path, "backoff_seconds": 0.01, **options}
    [found] = open_reader(None, OPTIONS.validate_python(made), watermark=watermark)
    assert isinstance(found, RestReader)
    return found


def ids(found: RestReader) -> list[int]:
    rows = list(found.rows())
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    return [row.fields["id"] for row in rows if isinstance(row, SourceRow)]


def test_a_service_that_gives_fewer_than_asked_is_read_to_its_empty_page(script: Script) -> None:
    script.answer = lambda told, path, query: _answer(told, path, {**query, "size": str(min(2, int(query["size"])))})
    paging = {"style": "offset", "size_parameter": "size", "size": 5}
    found = list(reader(script, "/offset", records="data.items", paging=paging).rows())
    assert len(found) == 7
    assert [query["offset"] for _, query, _ in script.asked] == ["0", "2", "4", "6", "7"]


@pytest.mark.parametrize(
    ("path", "paging"),
    [
        ("/page", {"style": "page", "size_parameter": "size", "size": 3}),
        ("/page", {"style": "page"}),
        ("/offset", {"style": "offset", "size_parameter": "size", "size": 2}),
        ("/offset", {"style": "offset", "size_parameter": None}),
        ("/cursor", {"style": "cursor", "path": "next", "size_parameter": "size", "size": 5}),
        ("/link", {"style": "link"}),
        ("/next", {"style": "next_url", "path": "next"}),
    ],
)
@pytest.mark.parametrize("count", [0, 1, 6, 7])
def test_every_page_is_read_once(script: Script, path: str, paging: dict[str, Any], count: int) -> None:
    del script.records[count:]
    assert ids(reader(script, path, records="data.items", paging=paging)) == list(range(count))


def test_failures_are_tried_again_and_retry_after_is_obeyed(script: Script) -> None:
    script.failures = [
        (500, {}),
        (429, {"Retry-After": "0.3"}),
        (503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    ]
    began = time.monotonic()
    assert len(ids(reader(script))) == 7
    assert time.monotonic() - began >= 0.3
    assert len(script.asked) == 4


def test_what_keeps_failing_is_an_error_and_loses_nothing(script: Script) -> None:
    script.failures = [(502, {})] * 9
    with pytest.raises(SourceUnavailableError, match=r"/all failed 3 times, the last time with status 502"):
        ids(reader(script, retries=2))
    assert len(script.asked) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 302])
def test_a_refusal_is_not_tried_again(script: Script, status: int) -> None:
    script.failures = [(status, {"Location": "http://127.0.0.2:9/"})]
    with pytest.raises(SourceUnavailableError, match=f"status {status}"):
        ids(reader(script))
    assert len(script.asked) == 1


def test_a_wait_that_is_too_long_ends_the_pull(script: Script) -> None:
    script.failures = [(429, {"Retry-After": "3600"})]
    with pytest.raises(SourceUnavailableError, match="asks to wait 3600 seconds"):
        ids(reader(script))


def test_a_slow_answer_is_given_up_on_and_tried_again(script: Script) -> None:
    script.delay = 0.5
    with pytest.raises(SourceUnavailableError, match="ReadTimeout"):
        ids(reader(script, timeout_seconds=0.1, retries=1))


def test_secrets_come_from_the_environment_and_show_nowhere(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERP_SECRET", "s3cret")
    cases: list[tuple[dict[str, str], str, str]] = [
        ({"type": "bearer", "token": "${ERP_SECRET}"}, "Authorization", "Bearer s3cret"),
        ({"type": "bearer", "token": "key:${ERP_SECRET}", "scheme": "token"}, "Authorization", "token key:s3cret"),
        ({"type": "basic", "username": "u", "password": "${ERP_SECRET}"}, "Authorization", "Basic dTpzM2NyZXQ="),
        ({"type": "api_key", "key": "${ERP_SECRET}", "header": "X-Key"}, "X-Key", "s3cret"),
    ]
    for auth, header, value in cases:
        assert len(ids(reader(script, auth=auth))) == 7
        assert script.asked[-1][2][header] == value
    found = reader(script, auth={"type": "api_key", "key": "${ERP_SECRET}", "query": "key"}, retries=0)
    assert len(ids(found)) == 7
    assert script.asked[-1][1]["key"] == "s3cret"
    script.failures = [(500, {})]
    with pytest.raises(SourceUnavailableError) as caught:
        ids(found)
    assert "s3cret" not in f"{caught.value} {found.name}"


def test_an_unset_variable_is_named(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ERP_SECRET", raising=False)
    with pytest.raises(SourceConfigError, match="ERP_SECRET is not set"):
        ids(reader(script, auth={"type": "bearer", "token": "${ERP_SECRET}"}))


def test_a_pull_goes_on_from_the_watermark(script: Script) -> None:
    incremental = {"field": "at", "params": {"since": "{watermark}"}, "overlap_minutes": 10}
    first = reader(script, incremental=incremental)
    ids(first)
    assert "since" not in script.asked[-1][1]
    assert first.watermark == "2025-03-05 08:06:00"
    ids(reader(script, incremental=incremental, watermark=first.watermark))
    assert script.asked[-1][1]["since"] == "2025-03-05 07:56:00"


def test_a_next_page_on_another_server_is_not_followed(script: Script) -> None:
    script.elsewhere = True
    with pytest.raises(SourceUnavailableError, match="refers to another server"):
        ids(reader(script, "/next", records="data.items", paging={"style": "next_url", "path": "next"}))


def test_an_answer_that_is_no_json_or_no_list_is_an_error_that_says_so(script: Script) -> None:
    with pytest.raises(SourceUnavailableError, match="without a list of records"):
        ids(reader(script, "/page", records="nothing.here"))
    script.body = b"<html>"
    with pytest.raises(SourceUnavailableError, match="did not answer with JSON"):
        ids(reader(script))


def test_a_record_that_is_no_object_is_rejected_and_the_rest_is_read(script: Script) -> None:
    script.records = [{"id": 1}, 5, {"id": "\ud800"}, {"id": "a\x00"}, {"id": 2}]
    rows = list(reader(script).rows())
    assert [row.number for row in rows if isinstance(row, Rejection)] == [2, 3, 4]


@pytest.mark.parametrize("name", ["erpnext_work_order", "erpnext_job_card", "erpnext_downtime_entry"])
def test_erpnext_is_read_by_its_shipped_mapping(name: str, script: Script) -> None:
    documents = json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))["data"]
    mapping = load_mapping(SHIPPED / f"{name}.yml")
    options = reader_options(mapping)
    assert isinstance(options, RestOptions)
    resource = options.path
    # The list leaves the child tables out, as Frappe does; only the document itself holds them.
    flat = [{key: value for key, value in each.items() if not isinstance(value, list)} for each in documents]
    script.answer = _frappe(resource, flat, {each["name"]: each for each in documents})
    [found] = open_reader(None, options.model_copy(update={"url": script.base, "backoff_seconds": 0.01}))
    map_row = compile_mapping(mapping, timezone="Asia/Seoul")
    records = [map_row(row) for row in found.rows() if isinstance(row, SourceRow)]
    payloads = [record.payload for record in records if isinstance(record, MappedRecord)]
    assert payloads == [record["payload"] for record in EXPECTED[name]["records"]]
    assert script.asked[0][1]["fields"] == '["*"]'


def _frappe(resource: str, listed: list[Any], documents: dict[str, Any]) -> Answer:
    def answer(told: Script, path: str, query: dict[str, str]) -> tuple[Any, dict[str, str]]:
        del told
        if path == resource:
            start, size = int(query["limit_start"]), int(query["limit_page_length"])
            return {"data": listed[start : start + size]}, {}
        return {"data": documents[path.removeprefix(f"{resource}/")]}, {}

    return answer
