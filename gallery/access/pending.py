"""A sign-in at an OpenID Connect provider that has begun. Kept light: an API without a provider needs no more of it."""

import secrets
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class Pending:
    """What a browser keeps between leaving for the provider and coming back; nobody else may know it."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> "Pending":
        """Return a random one."""
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))

    @classmethod
    def of(cls, text: str) -> "Pending | None":
        """Return what `str` gave; None if it is something else."""
        parts = text.split(".")
        return cls(*parts) if len(parts) == 3 and all(len(part) == 43 for part in parts) else None

    def __str__(self) -> str:
        """Return it as the value of a cookie."""
        return f"{self.state}.{self.nonce}.{self.verifier}"
