"""The numbers behind the pictures: where errors are equal, a plane of features, a run's log."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_IDENTITIES = 30  # on a map: more cannot be told apart by colour
_OF_EACH = 20  # items of one identity on a map
_NO_LOSS = {"step", "elapsed_s", "lr", "waited_s", "memory_mb", "workers"}


@dataclass(frozen=True, slots=True)
class EqualError:
    """Where as many pairs of one identity are below as pairs of two are not.

    Attributes:
        threshold: Cosine from which on a pair counts as one identity.
        rate: Share of either kind that is then wrong, 0 to 1; the mean of both where none is exactly equal.
    """

    threshold: float
    rate: float


def equal_error(same: NDArray[np.float32], different: NDArray[np.float32]) -> EqualError:
    """Return the threshold with equal errors for cosines `(n,)` of pairs of one identity and `(m,)` of two.

    Raises:
        ValueError: There are no pairs of one kind, or a cosine is not finite.
    """
    for name, cosines in (("one identity", same), ("two identities", different)):
        if not len(cosines) or not np.isfinite(cosines).all():
            raise ValueError(f"cosines of pairs of {name} must be there and finite, got {len(cosines)}")
    thresholds = np.unique(np.concatenate([same, different]))
    missed = np.searchsorted(np.sort(same), thresholds) / len(same)
    confused = 1 - np.searchsorted(np.sort(different), thresholds) / len(different)
    here = int(np.abs(missed - confused).argmin())
    # Down to the next lower cosine every threshold has the same errors: the middle is the safest.
    middle = (float(thresholds[max(here - 1, 0)]) + float(thresholds[here])) / 2
    return EqualError(middle, float(missed[here] + confused[here]) / 2)


def map_rows(identities: NDArray[np.int64], *, seed: int = 0) -> NDArray[np.int64]:
    """Return the rows of 30 identities at most, and 20 of each, drawn from those not below 0, ascending.

    Raises:
        ValueError: Fewer than four rows are left.
    """
    rng = np.random.default_rng(seed)
    people = rng.permutation(np.unique(identities[identities >= 0]))[:_IDENTITIES]
    chosen = [rng.permutation(np.flatnonzero(identities == person))[:_OF_EACH] for person in people]
    rows = np.sort(np.concatenate([np.empty(0, np.int64), *chosen]))
    if len(rows) < 4:
        raise ValueError(f"a map needs four items of known identities at least, got {len(rows)}")
    return rows


def flat(features: NDArray[np.float32], *, seed: int = 0) -> NDArray[np.float64]:
    """Place features `(n, dim)` on a plane, `(n, 2)`, by t-SNE (van der Maaten and Hinton 2008)."""
    from sklearn.manifold import TSNE

    tsne = TSNE(perplexity=min(12, (len(features) - 1) / 3), init="pca", learning_rate="auto", random_state=seed)
    return np.asarray(tsne.fit_transform(features), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """A run's log.

    Attributes:
        steps: `(n,)` of the rows.
        rate: `(n,)` learning rate.
        losses: `(n,)` each, by name; NaN where a loss was not part of the lesson.
        judged: `(m,)` steps of the evaluations.
        held_out: `(m,)` figures each, by name.
    """

    steps: NDArray[np.float64]
    rate: NDArray[np.float64]
    losses: dict[str, NDArray[np.float64]]
    judged: NDArray[np.float64]
    held_out: dict[str, NDArray[np.float64]]


def read_log(log: Path) -> Curves:
    """Read `log.csv` of a run, and `held_out.csv` beside it where the run was judged.

    Raises:
        ValueError: The log has no rows, or is no log of a run.
        OSError: The log cannot be read.
    """
    columns = _columns(log)
    if "lr" not in columns:
        raise ValueError(f"{log} is no log of a training run: it has no column lr but {', '.join(columns)}")
    losses = {
        name: np.where(values == 0, np.nan, values)
        for name, values in columns.items()
        if name not in _NO_LOSS and values.any()
    }
    beside = log.with_name("held_out.csv")
    held_out = _columns(beside) if beside.exists() else {"step": np.empty(0)}
    return Curves(columns["step"], columns["lr"], losses, held_out.pop("step"), held_out)


def running_mean(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return the mean of the last `width` values at each place, of those that are no NaN; NaN stays."""
    known = np.isfinite(values)
    sums, counts = np.cumsum(np.where(known, values, 0)), np.cumsum(known)
    before = np.maximum(np.arange(len(values)) - width, -1)
    total = sums - np.where(before >= 0, sums[before], 0)
    count = counts - np.where(before >= 0, counts[before], 0)
    return np.asarray(np.where(known, total / np.maximum(count, 1), np.nan))


def _columns(path: Path) -> dict[str, NDArray[np.float64]]:
    """Return the columns of a CSV file of numbers; a last row that a kill cut short is left out."""
    with path.open(newline="") as file:
        head, *rows = list(csv.reader(file)) or [[]]
    whole = [row for row in rows if len(row) == len(head)]
    if "step" not in head or not whole:
        raise ValueError(f"{path} is no log of a training run, or has no rows yet")
    try:
        table = np.array(whole, np.float64)
    except ValueError as error:
        raise ValueError(f"{path} has a value that is no number: {error}") from error
    return dict(zip(head, table.T, strict=True))
