"""Every request has an id and a trace, which the caller may bring."""

from pathlib import Path
from uuid import UUID

import pytest
from pydantic import PostgresDsn

from platform_api.main import create_app
from platform_core.settings import Settings
from tests.platform_api.client import ask

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def _headers(tmp_path: Path, **given: str) -> dict[str, str]:
    url = PostgresDsn("postgresql://takt_api:x@127.0.0.1:9/takt")
    app = create_app(Settings(home=tmp_path, database_url=url, api_database_url=url))
    headers = {name.replace("_", "-"): text for name, text in given.items()}
    return dict(ask(app, "GET", "/health", headers=headers).headers)


def test_a_request_without_ids_gets_new_ones(tmp_path: Path) -> None:
    first, second = _headers(tmp_path), _headers(tmp_path)
    assert UUID(first["x-request-id"]) != UUID(second["x-request-id"])
    assert len(first["x-trace-id"]) == 32
    assert first["x-trace-id"] != second["x-trace-id"]


@pytest.mark.parametrize(
    "given",
    [
        {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"},
        {"X_Trace_ID": TRACE},
        {"X_Trace_ID": str(UUID(TRACE)).upper()},
    ],
)
def test_the_callers_trace_goes_on(tmp_path: Path, given: dict[str, str]) -> None:
    assert _headers(tmp_path, **given)["x-trace-id"] == TRACE


@pytest.mark.parametrize("bad", ["", "with space", "x" * 129, "a;b"])
def test_an_id_that_could_forge_a_log_line_is_not_taken(tmp_path: Path, bad: str) -> None:
    assert _headers(tmp_path, X_Request_ID=bad)["x-request-id"] != bad


def test_a_trace_of_zeros_is_none(tmp_path: Path) -> None:
    assert _headers(tmp_path, X_Trace_ID="0" * 32)["x-trace-id"] != "0" * 32


def test_each_request_is_one_line_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="takt.api"):
        _headers(tmp_path, X_Request_ID="abc", X_Trace_ID=TRACE)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "takt.api"]
    assert line.startswith("GET /health 200 ")
    assert line.endswith(f"request_id=abc trace_id={TRACE}")
