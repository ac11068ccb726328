"""Times as people and programs write them in a query."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from wire.messages import MAX_TIME_NS
from wire.wording import shown

EXPECTED = "expected an ISO 8601 time like 2026-11-26T13:07:34.890+02:00 or 2026-11-26, or seconds since 1970"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_BASIC_DATE = re.compile(r"(19|20)[0-9]{6}")  # which is ISO 8601 too, and in seconds would be in 1970
_LOST_PLUS = re.compile(r"(.*[0-9]) ([0-9]{2}:?[0-9]{2})")  # a plus in a query that was not escaped is a space
# From which number on a time since 1970 is meant in a smaller unit than seconds, which would be in the year 5138.
_UNITS = ((Decimal(10) ** 17, 1), (Decimal(10) ** 14, 10**3), (Decimal(10) ** 11, 10**6), (Decimal(0), 10**9))


def nanoseconds(value: object) -> int:
    """Return the ns since 1970 of a time: ISO 8601, in UTC where no zone is given, or a number since 1970.

    A number is in seconds, or by its size in ms, us or ns. A date alone is its first moment.

    Raises:
        ValueError: It is neither, or outside 1970 to 2116.
    """
    text = str(value).strip()
    if _NUMBER.fullmatch(text) and not _BASIC_DATE.fullmatch(text):
        number = Decimal(text)
        scaled = number * next(ns for least, ns in _UNITS if abs(number) >= least)
    else:
        scaled = Decimal(_nanoseconds_of(_moment(text)))
    if not 0 <= scaled <= MAX_TIME_NS:
        raise ValueError(f"must be from 1970 to 2116, got {shown(text)}; {EXPECTED}")
    return round(scaled)


def _moment(text: str) -> datetime:
    """Return the time that a text says; where it is none as it stands, a space may have been a plus."""
    for candidate in (text, _LOST_PLUS.sub(r"\1+\2", text)):
        try:
            moment = datetime.fromisoformat(candidate.upper())
        except ValueError:
            continue
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    raise ValueError(f"{EXPECTED}, got {shown(text)}")


def _nanoseconds_of(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


Moment = Annotated[int, BeforeValidator(nanoseconds), WithJsonSchema({"type": "string", "title": "Time"})]
