"""The OpenAPI document: what FastAPI writes, with the role that each operation needs and problems as they are sent."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gallery.api.problems import MEDIA_TYPE
from gallery.api.rules import rule_of

_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemOut"}}}


def describe(app: FastAPI) -> None:
    """Let an application serve its document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title, version=app.version, routes=app.routes, servers=app.servers, openapi_version="3.1.0"
            )
            for path, methods in made["paths"].items():
                for method, operation in methods.items():
                    _complete(operation, method.upper(), path)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _complete(operation: dict[str, Any], method: str, path: str) -> None:
    role = rule_of(method, path).role
    if role is not None:
        operation["x-role"] = role
        operation["responses"]["403"] = {
            "description": f"Needs the role {role}, or comes from a page of another origin",
            "content": _PROBLEM,
        }
    if "requestBody" in operation:
        too_large = {"description": "The body is too large", "content": _PROBLEM}
        operation["responses"].setdefault("413", too_large)
    for code, answer in operation["responses"].items():
        schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
        if code >= "400" and schema.get("$ref", "").endswith("/ProblemOut"):
            answer["content"][MEDIA_TYPE] = answer["content"].pop("application/json")
