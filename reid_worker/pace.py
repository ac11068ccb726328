"""How many frames per second of live cameras are analysed, so that none waits longer than the latency budget.

PIE (Pan et al., RFC 8033, section 4.2) decides what share of packets a router drops, from how long they wait and
whether they wait longer and longer. Here the same controller decides what share of the wanted frames is left out:
evenly in time, equally for all cameras of a worker, and before they are converted to pictures. What waits is measured
rather than what work costs, so it does not matter whether cameras, people or another process take the machine's time.

Pure; the clock is an argument.
"""

import math
from dataclasses import dataclass

TARGET = 0.1  # wait before analysis that is aimed at under load, as a share of the budget
PERIOD_S = 0.5
LONGEST_STEP_S = 2.0  # a single long pause is no reason to change the rate by more
PROPORTION_PER_S = 1.2  # RFC 8033's beta and alpha, for waits of tenths of a second instead of milliseconds
INTEGRAL_PER_S2 = 0.6
GIVES_WAY, AT_FLOOR = 0.2, 0.6  # waits, as shares of the budget, between which a chunk gets ever fewer frames
LEAST_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class PaceOptions:
    """What the pace keeps to.

    Attributes:
        budget_s: Longest time from capture to tracklet.
        floor_fps: Analysed rate below which a person cannot be followed well; cameras are too many then.
    """

    budget_s: float = 2.0
    floor_fps: float = 2.0


class Pace:
    """The share of the wanted frames that is analysed.

    Attributes:
        share: In (0, 1]; of a camera of priority 1.
        wait_s: How long chunks of live cameras waited in the last period, at least.
    """

    def __init__(self, options: PaceOptions) -> None:
        self.share = 1.0
        self.wait_s = 0.0
        self._options = options
        self._least_s = math.inf
        self._since_s: float | None = None

    def waited(self, wait_s: float) -> None:
        """Take note of how long a chunk of a live camera waited; 0 if none waits."""
        self._least_s = min(self._least_s, wait_s)

    def update(self, now_s: float) -> bool:
        """Adapt the share to the waits since the last update; return whether a period was over.

        The shortest wait counts (as in CoDel, RFC 8289, section 4.2): the chunks of a burst wait for each other without
        anything being wrong. Without a chunk nothing changes. The logarithm of the share is controlled, so that the
        response is the same however many times too slow the machine is; RFC 8033 scales its gains for that reason.
        """
        if self._since_s is None:
            self._since_s = now_s
        step_s = min(now_s - self._since_s, LONGEST_STEP_S)
        if step_s < PERIOD_S or math.isinf(self._least_s):
            return False
        target_s = TARGET * self._options.budget_s
        growth_s = self._least_s - self.wait_s
        if self._least_s < target_s:
            growth_s = min(growth_s, 0.0)
        change = INTEGRAL_PER_S2 * step_s * (self._least_s - target_s) + PROPORTION_PER_S * growth_s
        self.share = min(max(self.share * math.exp(-change), LEAST_SHARE), 1.0)
        self.wait_s, self._least_s, self._since_s = self._least_s, math.inf, now_s
        return True

    def is_hopeless(self, wait_s: float) -> bool:
        """Tell whether a chunk has waited for so long that it is not analysed at all: for twice the budget."""
        return wait_s > 2 * self._options.budget_s

    def fps(self, wanted: float, priority: float, wait_s: float) -> float:
        """Return the rate at which to analyse a camera when chunks have waited for `wait_s`.

        A camera of priority p keeps the p-th root of the share. The share is learnt over periods; when somebody takes
        half of the machine at once, chunks that have begun to wait by then are analysed the more thinly the longer
        they have waited, down to the floor, to catch up.
        """
        budget_s = self._options.budget_s
        fps = wanted * float(self.share ** (1 / priority))
        left = (AT_FLOOR - wait_s / budget_s) / (AT_FLOOR - GIVES_WAY)
        return max(fps * min(max(left, 0.0), 1.0), min(fps, self._options.floor_fps))
