"""The one place where errors become answers.

Every answer to a failed request has the shape of `error_body`: the error's code, its sentence, and what to do.
"""

from typing import Any
from uuid import uuid4

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from dbt_like_sql.errors import TaktError
from platform_core.clock import utc_now

_CODES = {400: "ERR_VALIDATION", 401: "ERR_UNAUTHORIZED", 403: "ERR_FORBIDDEN", 404: "ERR_NOT_FOUND"}


def error_body(request: Request, code: str, message: str, detail: Any = None) -> dict[str, Any]:
    """The envelope of an error; `request_id` is the caller's X-Request-ID, else a new one."""
    return {
        "success": False,
        "error": {"code": code, "message": message, "detail": detail},
        "meta": {
            "request_id": request.headers.get("x-request-id") or str(uuid4()),
            "timestamp": utc_now().isoformat(),
        },
    }


def install_error_handlers(app: FastAPI) -> None:
    """Answer TaktError, wrong requests and unknown paths in one shape."""

    async def on_takt_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, TaktError)
        detail = {"hint": error.hint} if error.hint else None
        return JSONResponse(error_body(request, error.code, error.message, detail), status_code=error.http_status)

    async def on_invalid_request(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        fields = [
            {"field": ".".join(str(part) for part in each["loc"]), "reason": each["msg"]} for each in error.errors()
        ]
        body = error_body(request, "ERR_VALIDATION", "The request is not valid.", jsonable_encoder(fields))
        return JSONResponse(body, status_code=400)

    async def on_http_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        code = _CODES.get(error.status_code, f"ERR_HTTP_{error.status_code}")
        body = error_body(request, code, str(error.detail))
        return JSONResponse(body, status_code=error.status_code, headers=error.headers)

    app.add_exception_handler(TaktError, on_takt_error)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
    app.add_exception_handler(HTTPException, on_http_error)
