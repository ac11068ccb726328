"""Types of settings: numbers with a range, and flags. Values out of range are rejected when a group is built."""

from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field, Strict

GROUP = ConfigDict(extra="forbid", allow_inf_nan=False, validate_default=True)
"""How every group of settings is validated: no unknown keys, no infinite number, no NaN."""

_MOST = 10**9  # upper limit of counts: far beyond any run, and safe from overflow


def _number(value: object) -> object:
    """Reject true and false, which Python treats as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic collects ValueErrors
    return value


Whole = Annotated[int, BeforeValidator(_number)]
Real = Annotated[float, BeforeValidator(_number)]
Flag = Annotated[bool, Strict()]

Count = Annotated[Whole, Field(ge=1, le=_MOST)]
CountOrNone = Annotated[Whole, Field(ge=0, le=_MOST)]
Several = Annotated[Whole, Field(ge=2, le=_MOST)]
Processors = Annotated[Whole, Field(ge=1, le=1024)]
Processes = Annotated[Whole, Field(ge=0, le=1024)]
Share = Annotated[Real, Field(ge=0, le=1)]
Factor = Annotated[Real, Field(ge=0)]
