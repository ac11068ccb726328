"""Times in queries, in the formats that people and programs use."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from wire.message import MAX_TIME_NS
from wire.wording import shown

EXPECTED = "expected an ISO 8601 time like 2026-11-26T13:07:34.890+02:00 or 2026-11-26, or seconds since 1970"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_BASIC_DATE = re.compile(r"(19|20)[0-9]{2}([0-9]{4})?")  # a year or a basic ISO 8601 date; as seconds all are in 1970
_YEAR_OR_MONTH = re.compile(r"(19|20)[0-9]{2}(-[0-9]{2})?")  # ISO 8601 allows them; `fromisoformat` does not
_LOST_PLUS = re.compile(r"(.*[0-9]) ([0-9]{2}:?[0-9]{2})")  # an unescaped plus in a query decodes to a space
# Smallest value and ns per unit; a number from 10**11 on, the year 5138 in seconds, is in a smaller unit.
_UNITS = ((Decimal(10) ** 17, 1), (Decimal(10) ** 14, 10**3), (Decimal(10) ** 11, 10**6), (Decimal(0), 10**9))


def nanoseconds(value: object) -> int:
    """Return a time as ns since 1970, from ISO 8601 (UTC if no zone is given) or a number since 1970.

    The magnitude of a number tells whether it is in s, ms, us or ns. A date, month or year alone means its start.

    Raises:
        ValueError: The value is neither, or is outside 1970 to 2116.
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
    """Parse an ISO 8601 time; if that fails, retry with a space before the zone read as a plus."""
    short = _YEAR_OR_MONTH.fullmatch(text)
    first_day = "" if short is None else "-01" if short[2] else "-01-01"
    for candidate in (text + first_day, _LOST_PLUS.sub(r"\1+\2", text)):
        try:
            moment = datetime.fromisoformat(candidate.upper())
        except ValueError:
            continue
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    raise ValueError(f"{EXPECTED}, got {shown(text)}")


def _nanoseconds_of(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


# What fits is always understood; some more is, such as days behind the 28th and numbers with an exponent.
_DAY = r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
_CLOCK = r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?$"
_SECONDS = r"^[0-9]{1,7}(\.[0-9]{1,9})?$|^[0-9]{9}$"
SCHEMA = {"type": "string", "title": "Time", "pattern": f"{_DAY}({_CLOCK}|$)|{_SECONDS}"}

QueryTime = Annotated[int, BeforeValidator(nanoseconds), WithJsonSchema(SCHEMA)]
