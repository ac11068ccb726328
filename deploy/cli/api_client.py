"""Asks a running system over HTTP."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from deploy.errors import RunError, UsageError
from wire.mask import mask_url, scrub
from wire.reach import why_unreachable
from wire.url import UrlError, read_url

TIMEOUT_S = 30.0


class ApiClient:
    """Speaks JSON with one API; use as a context manager."""

    def __init__(self, url: str, token: str | None = None) -> None:
        if token and not (token.isascii() and token.isprintable()):
            raise UsageError("--token (or CLIMBTRACK_API_TOKEN): must be printable ASCII, to fit an HTTP header")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._url = mask_url(url.rstrip("/"))
        try:
            self._client = httpx.Client(base_url=_address(url), headers=headers, timeout=TIMEOUT_S)
        except httpx.InvalidURL:  # it quotes what it does not understand
            raise UsageError(f"--api {self._url}: expected http://HOST:PORT") from None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._client.close()

    def get(self, path: str, **query: str | int) -> Any:
        """Return the JSON of a path; see `request`."""
        return self.request("GET", path, query=query)

    def request(
        self, method: str, path: str, *, query: Mapping[str, str | int] | None = None, body: object = None
    ) -> Any:
        """Return the JSON that is answered; None when nothing is.

        Raises:
            UsageError: The API refuses what was asked, or its address is none.
            RunError: Nobody answers, or the API failed.
        """
        try:
            answer = self._client.request(method, path, params=query, json=body)
        except httpx.InvalidURL:
            raise UsageError(f"--api {self._url}: expected http://HOST:PORT") from None
        except httpx.HTTPError as error:
            cause = why_unreachable(error, self._url) or f"{self._url} does not answer: {scrub(str(error))}"
            raise RunError(
                f"no API: {cause}; start `climbtrack run` or `climbtrack api`, or name one with --api"
            ) from error
        if answer.status_code in {401, 403}:
            raise UsageError(f"{self._url} wants another token: give --token or CLIMBTRACK_API_TOKEN")
        if answer.is_client_error:
            raise UsageError(_detail(answer))
        if answer.is_error:
            raise RunError(f"{self._url}{path}: {_detail(answer)}")
        return answer.json() if answer.content else None


def _address(url: str) -> str:
    try:
        parts = read_url(url)
    except UrlError as error:
        raise UsageError(f"--api {mask_url(url)}: {error}") from None
    if parts.scheme not in {"http", "https"}:
        raise UsageError(f"--api {mask_url(url)}: expected http://HOST:PORT")
    return parts.quoted().rstrip("/")


def _detail(answer: httpx.Response) -> str:
    try:
        content = answer.json()
    except ValueError:
        return f"{mask_url(str(answer.url))}: {answer.status_code} {answer.reason_phrase}"
    return str(content.get("detail", content)) if isinstance(content, dict) else str(content)
