"""Passwords: rules, hashes by Argon2id, and random ones."""

import secrets
import threading
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gallery.access.errors import AccountRefused, TooManyTries

MIN_LENGTH = 10
MAX_LENGTH = 256  # characters; hashing longer ones would cost the machine more than it gains
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # without those that are taken for each other
AT_ONCE = 2  # hashes computed at the same time: each needs 19 MiB
PATIENCE_S = 3.0

# OWASP Password Storage Cheat Sheet: Argon2id with m=19 MiB, t=2, p=1.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_slots = threading.BoundedSemaphore(AT_ONCE)


def check_password(password: str, name: str) -> None:
    """Check a new password of a user.

    Raises:
        AccountRefused: It is too short, too long or the user's name, or no text.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise AccountRefused(f"a password has {MIN_LENGTH} to {MAX_LENGTH} characters, not {len(password)}")
    if name and password.strip().lower() == name:
        raise AccountRefused("a password must not be the user's name")
    if len(set(password)) < 4:
        raise AccountRefused("a password must have at least 4 different characters")
    _bytes_of(password)


def hash_password(password: str) -> str:
    """Return the hash of a password, with its salt and parameters.

    Raises:
        AccountRefused: It is no text.
        TooManyTries: Too many passwords are hashed at the moment.
    """
    with _Slot():
        return _hasher.hash(_bytes_of(password))


def is_password(password: str, known: str) -> bool:
    """Tell whether this is the password of a hash; takes as long for an empty hash, which has none.

    Raises:
        TooManyTries: Too many passwords are checked at the moment.
    """
    try:
        given = _bytes_of(password[: MAX_LENGTH + 1])
    except AccountRefused:
        given = b""
    with _Slot():
        try:
            return _hasher.verify(known or _nobodys(), given) and bool(known)
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(known: str) -> bool:
    """Tell whether a hash has other parameters than new ones."""
    return _hasher.check_needs_rehash(known)


def random_password() -> str:
    """Return a password that is easy to read aloud and type, of 79 bits."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(4))


@cache
def _nobodys() -> str:
    return _hasher.hash(secrets.token_bytes(16))


def _bytes_of(password: str) -> bytes:
    """Return a password in Unicode's composed form, so that every keyboard types the same."""
    try:
        return unicodedata.normalize("NFC", password).encode()
    except UnicodeEncodeError as error:
        raise AccountRefused("a password must be text: it contains half a character") from error


class _Slot:
    """One of the hashes that may be computed at the same time."""

    def __enter__(self) -> None:
        if not _slots.acquire(timeout=PATIENCE_S):
            raise TooManyTries(PATIENCE_S)

    def __exit__(self, *_: object) -> None:
        _slots.release()
