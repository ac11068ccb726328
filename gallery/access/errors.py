"""Why somebody is not let in, or an account not changed.

AccessError
├── NotSignedIn       who asks is not known: no credential, or one that is wrong, expired or revoked
├── TooManyTries      too many wrong passwords or tokens: wait
├── ProviderAway      the identity provider does not answer, or not as one does
└── AccountRefused    an account cannot be changed in this way
"""

import math


class AccessError(Exception):
    """Base of all errors of this package; messages never contain a password or token."""


class NotSignedIn(AccessError):  # noqa: N818 - it reads as the state it reports
    """Raised when a credential is wrong, has expired or was revoked."""


class TooManyTries(AccessError):  # noqa: N818 - it reads as the state it reports
    """Raised when passwords or tokens were guessed wrong too often; `wait_s` is when to try again."""

    def __init__(self, wait_s: float) -> None:
        self.wait_s = max(1, math.ceil(wait_s))
        super().__init__(f"too many failed attempts to sign in; try again in {self.wait_s} s")


class ProviderAway(AccessError):  # noqa: N818 - it reads as the state it reports
    """Raised when an identity provider cannot be used now; `reason` is for its operators."""

    def __init__(self, issuer: str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"the identity provider {issuer} cannot be used ({reason}); sign in with a password, or try again later"
        )


class AccountRefused(AccessError):  # noqa: N818 - it reads as the state it reports
    """Raised when a user or token cannot be added, changed or removed; the message says why and what to do."""
