"""Refuse query parameters that a route does not have: a misspelt condition would silently return everything."""

from difflib import get_close_matches

from fastapi import Request
from fastapi.exceptions import RequestValidationError


async def only_known_parameters(request: Request) -> None:
    """Check the names of the query parameters of a request.

    Raises:
        RequestValidationError: The route does not have some of them; each is named.
    """
    known = [field.alias for field in request.scope["route"].dependant.query_params]
    unknown = [name for name in dict.fromkeys(request.query_params.keys()) if name not in known]
    if unknown:
        raise RequestValidationError(
            [{"type": "extra_forbidden", "loc": ("query", name), "msg": _remark(name, known)} for name in unknown]
        )


def _remark(name: str, known: list[str]) -> str:
    if not known:
        return "unknown parameter; there are none here"
    close = get_close_matches(name[:100], known, n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    return f"unknown parameter; {meant}known are {', '.join(sorted(known))}"
