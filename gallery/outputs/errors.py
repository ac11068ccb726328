"""Errors of outputs.

NotSent     an alert was not delivered, and whether it is worth trying again
"""


class NotSent(Exception):  # noqa: N818 - it reads as the state it reports
    """Raised when an alert was not delivered.

    Attributes:
        final: Trying again does not help.
        wait_s: How long the receiver asked to be left alone; 0 if it did not.
    """

    def __init__(self, reason: str, *, final: bool = False, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.final = final
        self.wait_s = wait_s
