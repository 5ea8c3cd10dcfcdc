"""Every error is answered in one shape."""

from pathlib import Path
from typing import Annotated

import pytest
from fastapi import FastAPI, Query
from pydantic import PostgresDsn

from platform_api.main import create_app
from platform_core.settings import Settings
from platform_core.tenants.errors import TenantNotFoundError
from tests.platform_api.client import ask


def _lost() -> None:
    raise TenantNotFoundError("There is no tenant 'x'.", hint="Tenants: default.")


def _numbered(number: int, limit: Annotated[int, Query(ge=1)] = 10) -> int:
    return number * limit


def _broken() -> None:
    raise RuntimeError("a secret")


def _lines(lines: list[str]) -> int:
    return len(lines)


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    """The application with routes that can go wrong."""
    url = PostgresDsn("postgresql://takt_api:x@127.0.0.1:9/takt")
    made = create_app(Settings(home=tmp_path, database_url=url, api_database_url=url))
    made.add_api_route("/lost", _lost, response_model=None)
    made.add_api_route("/numbered/{number}", _numbered)
    made.add_api_route("/broken", _broken, response_model=None)
    made.add_api_route("/lines", _lines, methods=["POST"])
    return made


def test_an_error_of_ours_keeps_its_code_status_and_hint(app: FastAPI) -> None:
    answer = ask(app, "GET", "/lost", headers={"X-Request-ID": "abc"})
    assert answer.status_code == 404
    body = answer.json()
    assert body["success"] is False
    assert body["error"] == {
        "code": "ERR_TENANT_NOT_FOUND",
        "message": "There is no tenant 'x'.",
        "detail": {"hint": "Tenants: default."},
        "doc_url": "/api/v1/errors/ERR_TENANT_NOT_FOUND",
    }
    assert body["meta"]["request_id"] == "abc"
    assert body["meta"]["duration_ms"] >= 0


def test_an_error_is_told_in_korean_with_its_own_sentence_as_the_reason(app: FastAPI) -> None:
    error = ask(app, "GET", "/lost", headers={"Accept-Language": "ko-KR,ko;q=0.9,en;q=0.8"}).json()["error"]
    assert error["message"] == "그런 이름의 테넌트가 없습니다."
    assert error["detail"] == {"reason": "There is no tenant 'x'.", "hint": "Tenants: default."}


def test_a_wrong_request_names_every_bad_field_and_what_was_expected(app: FastAPI) -> None:
    answer = ask(app, "GET", "/numbered/seven?limit=0")
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "ERR_VALIDATION"
    assert [each["field"] for each in error["detail"]] == ["path.number", "query.limit"]
    assert error["detail"][1]["expected"] == {"ge": 1}


def test_a_body_that_is_no_json_is_said_to_be_none(app: FastAPI) -> None:
    answer = ask(app, "POST", "/lines", content="{", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "ERR_INVALID_JSON")


def test_what_nobody_expected_tells_nothing_but_the_requests_id(app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
    answer = ask(app, "GET", "/broken", headers={"X-Request-ID": "abc"}, raise_app_exceptions=False)
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "ERR_INTERNAL"
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] == "abc"
    assert "request_id=abc" in caplog.text
    assert "a secret" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nowhere", 404, "ERR_NOT_FOUND"), ("POST", "/health", 405, "ERR_METHOD_NOT_ALLOWED")],
)
def test_unknown_paths_and_methods_have_the_same_shape(
    app: FastAPI, method: str, path: str, status: int, code: str
) -> None:
    answer = ask(app, method, path)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code


def test_the_page_of_an_error_says_what_its_code_means(app: FastAPI) -> None:
    url = ask(app, "GET", "/lost").json()["error"]["doc_url"]
    assert ask(app, "GET", url).json()["data"]["meaning"] == "No tenant has that slug."
    korean = ask(app, "GET", url, headers={"Accept-Language": "ko"}).json()
    assert korean["data"] == {"code": "ERR_TENANT_NOT_FOUND", "meaning": "그런 이름의 테넌트가 없습니다."}
    assert ask(app, "GET", "/api/v1/errors/ERR_NONSENSE").status_code == 404
