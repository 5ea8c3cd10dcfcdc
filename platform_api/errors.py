"""The one place where errors become answers.

Every answer to a failed request has the shape of `envelope.Failure`. In English `message` is the error's own sentence;
in Korean it is what the code means, and the own sentence is the detail's `reason`.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from dbt_like_sql.errors import TaktError
from platform_api.envelope import Failure, Problem, meta_of
from platform_api.ids import ids_of
from platform_api.languages import choose_language, meaning

ERROR_PATH = "/api/v1/errors/{code}"
_CODES = {
    400: "ERR_VALIDATION",
    401: "ERR_UNAUTHORIZED",
    403: "ERR_FORBIDDEN",
    404: "ERR_NOT_FOUND",
    405: "ERR_METHOD_NOT_ALLOWED",
    413: "ERR_TOO_LARGE",
    415: "ERR_UNSUPPORTED_TYPE",
    503: "ERR_SERVICE_UNAVAILABLE",
}

_log = logging.getLogger("takt.api")


class ApiError(TaktError):
    """A request that the API itself refuses."""

    code = "ERR_REQUEST"
    http_status = 400


class NoWarehouseError(ApiError):
    """The API runs where no warehouse has been made yet."""

    code = "ERR_SERVICE_UNAVAILABLE"
    http_status = 503


class WrongTenantError(ApiError):
    """X-Tenant-ID names another tenant than the one that the credential belongs to."""

    code = "ERR_FORBIDDEN"
    http_status = 403


class UnknownCodeError(ApiError):
    """There is no such error code."""

    code = "ERR_NOT_FOUND"
    http_status = 404


def failure(
    request: Request,
    code: str,
    sentence: str,
    *,
    fields: Sequence[Mapping[str, Any]] = (),
    hint: str | None = None,
) -> Failure:
    """The body of an error, in the language that the request asks for; `fields` are those of the request in error."""
    language = choose_language(request.headers.get("accept-language"))
    translated = meaning(code, "ko") if language == "ko" else None
    said = ({"reason": sentence} if translated else {}) | ({"hint": hint} if hint else {})
    detail = list(fields) or said or None
    problem = Problem(code=code, message=translated or sentence, detail=detail, doc_url=ERROR_PATH.format(code=code))
    return Failure(error=problem, meta=meta_of(request))


def install_error_handlers(app: FastAPI) -> None:
    """Answer TaktError, wrong requests, unknown paths and what nobody expected in one shape."""
    app.add_exception_handler(TaktError, _on_takt_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_unexpected)


async def _on_takt_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TaktError)
    answer = _answer(request, error.http_status, failure(request, error.code, error.message, hint=error.hint))
    if error.http_status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="takt"'
    return answer


async def _on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    fields = [_field(each) for each in error.errors()]
    if any(each["type"] == "json_invalid" for each in error.errors()):
        return _answer(request, 400, failure(request, "ERR_INVALID_JSON", "The body is not JSON.", fields=fields))
    named = ", ".join(str(each["field"]) for each in fields)
    sentence = f"The request is not valid: {named}."
    return _answer(request, 400, failure(request, "ERR_VALIDATION", sentence, fields=fields))


def _field(problem: Mapping[str, Any]) -> dict[str, Any]:
    """One bad field: where it stands, what is wrong, and what was expected where the check says so."""
    field = {"field": ".".join(str(part) for part in problem["loc"]), "reason": problem["msg"]}
    context: Mapping[str, Any] = problem.get("ctx") or {}
    expected = {name: value for name, value in context.items() if name != "error"}
    return field | ({"expected": jsonable_encoder(expected)} if expected else {})


async def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "ERR_INTERNAL" if error.status_code >= 500 else "ERR_REQUEST")
    answer = _answer(request, error.status_code, failure(request, code, str(error.detail)))
    answer.headers.update(error.headers or {})
    return answer


async def _on_unexpected(request: Request, error: Exception) -> JSONResponse:
    """The answer tells nothing of the error, which may hold anything; the log has it under the request's id."""
    ids = ids_of(request)
    _log.error("unexpected error, request_id=%s", ids.request_id, exc_info=error)
    sentence = f"Something went wrong that was not expected. The log names it under {ids.request_id}."
    answer = _answer(request, 500, failure(request, "ERR_INTERNAL", sentence))
    answer.headers.update({"X-Request-ID": ids.request_id, "X-Trace-ID": ids.trace_id})
    return answer


def _answer(request: Request, status: int, body: Failure) -> JSONResponse:
    return JSONResponse(body.model_dump(mode="json"), status_code=status)
