"""Every error is answered in one shape."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from pydantic import PostgresDsn

from platform_api.main import create_app
from platform_core.settings import Settings
from platform_core.tenants.errors import TenantNotFoundError
from tests.platform_api.client import ask


def _lost() -> None:
    raise TenantNotFoundError("There is no tenant 'x'.", hint="Tenants: default.")


def _numbered(number: int) -> int:
    return number


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    """The application with two routes that can go wrong."""
    url = PostgresDsn("postgresql://takt_api:x@127.0.0.1:9/takt")
    made = create_app(Settings(home=tmp_path, database_url=url, api_database_url=url))
    made.add_api_route("/lost", _lost, response_model=None)
    made.add_api_route("/numbered/{number}", _numbered)
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
    }
    assert body["meta"]["request_id"] == "abc"


def test_a_wrong_request_names_the_field(app: FastAPI) -> None:
    answer = ask(app, "GET", "/numbered/seven")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "ERR_VALIDATION"
    assert answer.json()["error"]["detail"][0]["field"] == "path.number"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nowhere", 404, "ERR_NOT_FOUND"), ("POST", "/health", 405, "ERR_HTTP_405")],
)
def test_unknown_paths_and_methods_have_the_same_shape(
    app: FastAPI, method: str, path: str, status: int, code: str
) -> None:
    answer = ask(app, method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
