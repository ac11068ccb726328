"""Authentication: a bearer token, if one is set."""

import secrets
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, HTTPException, status
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr

_bearer = HTTPBearer(auto_error=False, description="The token from the API's settings; required if one is set.")


def require_token(token: SecretStr | None) -> Callable[..., None]:
    """Return a dependency that refuses requests without the token, comparing in constant time."""
    expected = None if token is None else token.get_secret_value().encode()

    def check(given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
        if expected is None:
            return
        if given is None or not secrets.compare_digest(given.credentials.encode(), expected):
            raise HTTPException(
                status.HTTP_401_UNAUTHORIZED, "a bearer token is needed", headers={"WWW-Authenticate": "Bearer"}
            )

    return check
