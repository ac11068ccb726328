"""HTTP client of a running system's API."""

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
    """JSON client of one API; use as a context manager."""

    def __init__(self, url: str, token: str | None = None) -> None:
        if token and not (token.isascii() and token.isprintable()):
            raise UsageError("--token (or CLIMBTRACK_API_TOKEN): must be printable ASCII, to fit an HTTP header")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._url = mask_url(url.rstrip("/"))
        try:
            self._client = httpx.Client(base_url=_address(url), headers=headers, timeout=TIMEOUT_S)
        except httpx.InvalidURL:  # its message quotes the URL, which may hold a password
            raise UsageError(f"--api {self._url}: expected http://HOST:PORT") from None

    def __enter__(self) -> Self:
        """Return self."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._client.close()

    def get(self, path: str, **query: str | float) -> Any:
        """GET a path and return its JSON; see `request`."""
        return self.request("GET", path, query=query)

    def get_bytes(self, path: str, **query: str | float) -> bytes:
        """GET a path and return the content of the response; see `request`."""
        return self._response("GET", path, params=query).content

    def post_file(self, path: str, data: bytes, kind: str, **query: str | int) -> Any:
        """POST the bytes of a file of a media type and return the JSON of the response; see `request`."""
        return self._answer("POST", path, params=query, content=data, headers={"Content-Type": kind})

    def request(
        self, method: str, path: str, *, query: Mapping[str, str | float] | None = None, body: object = None
    ) -> Any:
        """Send a request and return the JSON of the response, or None if it has no body.

        Raises:
            UsageError: The API rejects the request, or its address is invalid.
            RunError: The API is unreachable, or failed.
        """
        return self._answer(method, path, params=query, json=body)

    def _answer(self, method: str, path: str, **content: Any) -> Any:
        answer = self._response(method, path, **content)
        return answer.json() if answer.content else None

    def _response(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **content)
        except httpx.InvalidURL:
            raise UsageError(f"--api {self._url}: expected http://HOST:PORT") from None
        except httpx.HTTPError as error:
            cause = why_unreachable(error, self._url) or f"{self._url} does not answer: {scrub(str(error))}"
            raise RunError(
                f"no API: {cause}; start `climbtrack run` or `climbtrack api`, or name one with --api"
            ) from error
        if answer.status_code == 401:
            remedy = "set --token or CLIMBTRACK_API_TOKEN; `climbtrack users token` makes one"
            raise UsageError(f"{self._url}: {_detail(answer)}; {remedy}")
        if answer.is_client_error:
            raise UsageError(_detail(answer))
        if answer.is_error:
            raise RunError(f"{self._url}{path}: {_detail(answer)}")
        return answer


def _address(url: str) -> str:
    if url.strip().partition("://")[0].lower() not in {"http", "https"}:
        raise UsageError(f"--api {mask_url(url)}: expected http://HOST:PORT")
    try:
        parts = read_url(url)
    except UrlError as error:
        raise UsageError(f"--api {mask_url(url)}: {error}") from None
    return parts.quoted().rstrip("/")


def _detail(answer: httpx.Response) -> str:
    try:
        content = answer.json()
    except ValueError:
        return f"{mask_url(str(answer.url))}: {answer.status_code} {answer.reason_phrase}"
    return str(content.get("detail", content)) if isinstance(content, dict) else str(content)
