"""Errors of the API as problem details (RFC 9457): `application/problem+json` with a `detail` for people."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from gallery.access.errors import AccountRefused, NotSignedIn, TooManyTries
from gallery.errors import StoreRefused
from wire.errors import TransientError

MEDIA_TYPE = "application/problem+json"
NOT_JSON = "body: cannot be read as JSON"
MAX_REPORTED_FIELDS = 10
MAX_NAME_LENGTH = 100


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return an answer that says why a request failed."""
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(content, status_code=status, headers=headers, media_type=MEDIA_TYPE)


def answer_with_problems(app: FastAPI) -> None:
    """Let an application answer every error that it knows with a problem."""

    @app.exception_handler(HTTPException)
    def http_error(request: Request, error: HTTPException) -> JSONResponse:
        headers = {**(error.headers or {}), **_allowed(app, request)} if error.status_code == 405 else error.headers
        return problem(error.status_code, str(error.detail), headers)

    @app.exception_handler(TransientError)
    def unavailable(_: Request, error: TransientError) -> JSONResponse:
        return problem(503, str(error), {"Retry-After": "1"})

    @app.exception_handler(StoreRefused)
    def refused(_: Request, error: StoreRefused) -> JSONResponse:
        return problem(503, str(error))

    @app.exception_handler(RequestValidationError)
    def invalid_request(_: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, _describe(error))

    @app.exception_handler(400)
    def unreadable_body(_: Request, error: Exception) -> JSONResponse:  # noqa: ARG001 - less specific
        return problem(422, NOT_JSON)

    @app.exception_handler(NotSignedIn)
    def unknown(_: Request, error: NotSignedIn) -> JSONResponse:
        return problem(401, str(error))

    @app.exception_handler(TooManyTries)
    def too_many(_: Request, error: TooManyTries) -> JSONResponse:
        return problem(429, str(error), {"Retry-After": str(error.wait_s)})

    @app.exception_handler(AccountRefused)
    def account_refused(_: Request, error: AccountRefused) -> JSONResponse:
        return problem(409, str(error))


def _allowed(app: FastAPI, request: Request) -> dict[str, str]:
    """Return the header that names all methods of a path; the framework names those of one route."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    fitting = [
        (template.count("{"), methods)
        for template, methods in app.openapi()["paths"].items()
        if re.fullmatch(_pattern(template), path)
    ]
    if not fitting:
        return {}
    _, methods = min(fitting, key=lambda found: found[0])
    return {"Allow": ", ".join(sorted(method.upper() for method in methods))}


def _pattern(template: str) -> str:
    """Return the pattern of the paths that a template stands for; only the ids of tracklets have slashes."""
    own = re.escape(template).replace(r"\{tracklet_id\}", ".+")
    return re.sub(r"\\{[a-z_]+\\}", "[^/]+", own)


def _describe(error: RequestValidationError) -> str:
    """Return which fields are invalid and why, without their values, which may contain a password."""
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        return NOT_JSON
    words = "; ".join(
        f"{'.'.join(map(str, one['loc'][1:]))[:MAX_NAME_LENGTH] or 'body'}: {_reason(one)}"
        for one in found[:MAX_REPORTED_FIELDS]
    )
    more = f"; and {len(found) - MAX_REPORTED_FIELDS} more" if len(found) > MAX_REPORTED_FIELDS else ""
    return (words + more).encode(errors="replace").decode()  # field names in a request may contain lone surrogates


def _reason(fault: Mapping[str, Any]) -> str:
    """Return what is wrong with a field; of a text that was put into its form, pydantic counts items."""
    bounds = fault.get("ctx", {})
    if bounds.get("field_type") == "Value" and "max_length" in bounds:
        return f"must have at most {bounds['max_length']} characters, got {bounds['actual_length']}"
    if bounds.get("field_type") == "Value" and "min_length" in bounds:
        return f"must have at least {bounds['min_length']} character{'s' * (bounds['min_length'] > 1)}"
    return str(fault["msg"]).removeprefix("Value error, ").replace(" items after validation", " items")
