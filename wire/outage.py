"""Saying that somebody else is away: when it begins, when the reason changes, and when it is over."""

import logging


class Outage:
    """Logs what a loop that tries again and again meets, once and not at every attempt."""

    def __init__(self, log: logging.Logger, who: str) -> None:
        self._log = log
        self._who = who
        self._reason = ""

    def met(self, error: Exception) -> None:
        """Note a failed attempt."""
        if str(error) != self._reason:
            self._reason = str(error)
            self._log.warning("%s: %s; trying again until it works", self._who, error)

    def over(self) -> None:
        """Note an attempt that worked."""
        if self._reason:
            self._reason = ""
            self._log.warning("%s: works again", self._who)
