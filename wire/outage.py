"""Logging of outages: when one begins, when its reason changes, and when it is over."""

import logging


class Outage:
    """Logs the failures of a retry loop once each, rather than at every attempt."""

    def __init__(self, log: logging.Logger, who: str) -> None:
        self._log = log
        self._who = who
        self._reason = ""

    def met(self, error: Exception) -> None:
        """Log a failed attempt, unless it has the same reason as the last one."""
        if str(error) != self._reason:
            self._reason = str(error)
            self._log.warning("%s: %s; trying again until it works", self._who, error)

    def over(self) -> None:
        """Log that an attempt succeeded after failures."""
        if self._reason:
            self._reason = ""
            self._log.warning("%s: works again", self._who)
