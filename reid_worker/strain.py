"""Says when a worker cannot analyse everything that is wanted, why, what helps, and when it is over."""

import logging
from dataclasses import dataclass

log = logging.getLogger(__name__)

STRAINED = 0.9  # share of the wanted frames below which it is said
RECOVERED = 0.99
CALM = 20  # looks in a row, 10 s or more, without strain after which it is over: at the limit it comes and goes
REMEDIES = {
    "decode": "lower the resolution or frame rate of the cameras (a substream will do)",
    "detect": "use a lighter `worker.detector`",
    "track": "use fewer cameras on this worker",
    "embed": "use smaller `worker.weights`",
}
ALWAYS = "start another worker, give this one more cores, or lower `analysed_fps`"


@dataclass(slots=True)
class Strain:
    """The state of one worker.

    Attributes:
        reason: Why live cameras are analysed at a lower rate than wanted, and what helps; empty if they are not.
    """

    reason: str = ""
    _too_many: bool = False
    _calm: int = 0

    def update(self, share: float, slowest: str, below_floor: list[str], floor_fps: float) -> None:
        """Take note of the share of wanted frames that is analysed, and log changes.

        Args:
            share: In (0, 1].
            slowest: The stage that takes most of the time.
            below_floor: Cameras that are analysed at less than the floor.
            floor_fps: The floor.
        """
        self._calm = self._calm + 1 if share >= RECOVERED else 0
        if self.reason and self._calm >= CALM:
            self.reason, self._too_many = "", False
            log.warning("the worker keeps up again: every wanted frame of live cameras is analysed")
        elif share < (RECOVERED if self.reason else STRAINED):
            began = not self.reason
            self.reason = f"the worker cannot keep up: {share:.0%} of the wanted frames of live cameras are analysed"
            if slowest:
                self.reason += f", and most of its time goes to the stage {slowest!r}"
            self.reason += f"; {_remedy(slowest)}"
            if began:
                log.warning("%s", self.reason)
        if below_floor and not self._too_many:
            self._too_many = True
            log.warning(
                "too many cameras for this worker: %s below %g frames/s, where people cannot be followed well; %s",
                ", ".join(below_floor),
                floor_fps,
                ALWAYS,
            )


def _remedy(slowest: str) -> str:
    return f"{ALWAYS}, or {REMEDIES[slowest]}" if slowest in REMEDIES else ALWAYS
