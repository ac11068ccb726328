"""Hours of a week in a time zone."""

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


class Hours(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """From a time of day to another, on some days of the week.

    Attributes:
        begin, end: `HH:MM` by the clock on the wall. An `end` that is not after `begin` is on the next day, so that
            equal ones are a whole day.
        days: On which it begins, of `DAYS`.
        time_zone: Of the IANA database, such as `Europe/Vienna`.
    """

    begin: str
    end: str
    days: tuple[str, ...] = DAYS
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        for field, clock in (("begin", self.begin), ("end", self.end)):
            if not _CLOCK.fullmatch(clock):
                raise ValueError(f"{field}: must be a time of day like 22:00, got {clock!r:.20}")
        if not self.days or not set(self.days) <= set(DAYS):
            raise ValueError(f"days: must be some of {', '.join(DAYS)}")
        try:
            ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError):  # not found, not a name, or the name of a folder
            raise ValueError(
                f"time_zone: {self.time_zone!r:.60} is unknown; give one like Europe/Vienna or UTC"
            ) from None

    def cover(self, time_ns: int) -> bool:
        """Tell whether a moment, in ns since the Unix epoch, lies in these hours.

        The clock on the wall counts: where it is put back, the hour that comes twice counts twice.
        """
        local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_ns // 1000)).astimezone(
            ZoneInfo(self.time_zone)
        )
        begin, end, now = time.fromisoformat(self.begin), time.fromisoformat(self.end), local.time()
        today, yesterday = DAYS[local.weekday()], DAYS[local.weekday() - 1]
        if begin < end:
            return today in self.days and begin <= now < end
        return (today in self.days and now >= begin) or (yesterday in self.days and now < end)
