"""From the logit of a detection to the probability that it is a person, so that one threshold serves all pictures."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from training.detector.score import Verdicts

EDGE = 1e-6


def platt(verdicts: Verdicts) -> tuple[float, float]:
    """Return slope and offset that make `1 / (1 + exp(-(slope * logit + offset)))` the share that is right.

    Platt, "Probabilistic Outputs for Support Vector Machines", 1999, section 2.2, with its regularised targets.

    Args:
        verdicts: Boxes whose scores are the logistic function of their logits.

    Raises:
        ValueError: When there is no right or no wrong box to learn from.
    """
    right = int(verdicts.right.sum())
    wrong = len(verdicts.right) - right
    if not right or not wrong:
        raise ValueError(f"calibration needs right and wrong boxes, got {right} and {wrong}")
    logits = logit(verdicts.scores)
    targets = np.where(verdicts.right, (right + 1) / (right + 2), 1 / (wrong + 2))

    def misfit(line: NDArray[np.float64]) -> float:
        chance = line[0] * logits + line[1]
        return float((np.logaddexp(0, chance) - targets * chance).mean())

    slope, offset = minimize(misfit, np.array([1.0, 0.0]), method="Nelder-Mead").x
    return float(slope), float(offset)


def logit(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log odds of probabilities."""
    inside = np.clip(scores, EDGE, 1 - EDGE)
    return np.asarray(np.log(inside / (1 - inside)))
