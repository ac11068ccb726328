"""Two people who change one thing: the later one is told, instead of taking back what the other one did."""

import hashlib

import msgspec
from fastapi import HTTPException, status

LENGTH = 16


def version_of(thing: msgspec.Struct) -> str:
    """Return what stands for a rule or a zone as it is now."""
    return hashlib.sha256(msgspec.json.encode(thing)).hexdigest()[:LENGTH]


def check_version(given: str, now: msgspec.Struct | None, name: str) -> None:
    """Refuse a change of something that is no longer as whoever changes it has read it; none given: whatever it is.

    Raises:
        HTTPException: 409, somebody changed or deleted it meanwhile.
    """
    if not given or (now is not None and version_of(now) == given):
        return
    what = "deleted" if now is None else "changed"
    detail = f"somebody has {what} {name!r} since you opened it: load it again, and change it then"
    raise HTTPException(status.HTTP_409_CONFLICT, detail)
