"""Draw the results of an evaluation as PNG files for a report.

`pictures_figures` computes the numbers behind them. Nothing here opens a window or keeps a figure alive.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from training.evaluation.pictures_figures import EqualError, equal_error, flat, map_rows

_INK, _PALE = "#222222", "#888888"
_SAME, _DIFFERENT = "#1f8a4c", "#c0392b"
_DPI = 110
_CELL = (256, 128)  # crops are shown at the network's aspect ratio
_STEP = (1.14, 2.5)  # grid step in crop widths: a crop is 1 wide and 2 high
_GAP = 0.25  # between a query and its results
_LEGEND = 2.8  # width of the legend for the frame colours
_MARKERS = "osD^v<>PX*ph"
_BINS = (25, 100)  # of a histogram; few pairs get fewer bins


class Verdict(StrEnum):
    """Relation of a ranked item to the query."""

    RIGHT = "right"
    WRONG = "wrong"
    JUNK = "junk"


_FRAMES = {Verdict.RIGHT: _SAME, Verdict.WRONG: _DIFFERENT, Verdict.JUNK: "#9a9a9a"}


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A tracklet shown in a picture.

    Attributes:
        crop: `(h, w, 3)` RGB uint8.
        identity: The data set's number.
        camera: The data set's number.
    """

    crop: NDArray[np.uint8]
    identity: int
    camera: int


@dataclass(frozen=True, slots=True, eq=False)
class RankedItem:
    """An item of a ranked list; `cosine` is its similarity to the query, -1 to 1."""

    shown: Shown
    verdict: Verdict
    cosine: float


@dataclass(frozen=True, slots=True, eq=False)
class RankedRow:
    """A query and its results, best first."""

    query: Shown
    found: tuple[RankedItem, ...]


def ranked_lists(path: Path, rows: Sequence[RankedRow], *, places: int = 10) -> None:
    """Draw each query and its best `places` items, with a green frame for right, red for wrong, and grey for ignored.

    Raises:
        ValueError: There are no rows.
    """
    if not rows:
        raise ValueError("no ranked list to draw: give at least one query")
    places = min(places, max(len(row.found) for row in rows))
    columns = [0.0, *(_GAP + _STEP[0] * (1 + place) for place in range(places))]
    right, bottom = max(columns[-1] + 1, _LEGEND), len(rows) * _STEP[1]
    figure = Figure((right + 0.2, bottom + 0.75), dpi=_DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    for place, left in enumerate(columns):
        title = str(place) if place else "query"
        axes.text(left + 0.5, -0.1, title, ha="center", va="bottom", fontsize=10, color=_INK, weight="bold")
    _legend_of_frames(axes, right - _LEGEND)
    for top, row in zip(np.arange(len(rows)) * _STEP[1], rows, strict=True):
        _cell(axes, row.query, (0.0, top), _INK, _place(row.query))
        for left, item in zip(columns[1:], row.found, strict=False):
            _cell(axes, item.shown, (left, top), _FRAMES[item.verdict], f"{_place(item.shown)}\n{item.cosine:.3f}")
    axes.set(xlim=(-0.1, right + 0.1), ylim=(bottom, -0.75))  # every image has reset the limits
    figure.savefig(path)


def similarity_histograms(path: Path, same: NDArray[np.float32], different: NDArray[np.float32]) -> EqualError:
    """Draw the cosines of same-identity and different-identity pairs; mark and return the equal error rate.

    Args:
        path: PNG file to write.
        same: `(n,)` cosines of pairs of the same identity, -1 to 1.
        different: `(m,)` cosines of pairs of different identities.

    Raises:
        ValueError: There are no pairs of one kind, or a cosine is not finite.
    """
    equal = equal_error(same, different)
    figure = Figure((7.5, 4.2), dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    both = np.concatenate([same, different])
    count = int(np.clip(3 * np.sqrt(min(len(same), len(different))), *_BINS))
    bins = np.linspace(both.min(), max(1.0, both.max()), count + 1).tolist()
    for cosines, colour, name in ((different, _DIFFERENT, "different people"), (same, _SAME, "the same person")):
        label = f"{name}: {len(cosines):,} pairs, mean {cosines.mean():.3f}"
        weights = np.full(len(cosines), 100 / len(cosines))
        axes.hist(cosines, bins=bins, weights=weights, color=colour, alpha=0.5, label=label, edgecolor="none")
        axes.hist(cosines, bins=bins, weights=weights, color=colour, histtype="step", linewidth=1.2)
    label = f"equal error rate: {equal.rate:.1%} at {equal.threshold:.3f}"
    axes.axvline(equal.threshold, color=_INK, linewidth=1.2, linestyle="--", label=label)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.25)  # room for the legend above the histograms
    axes.legend(loc="upper left", frameon=False, fontsize=9)
    _finish(axes, "cosine", f"% of pairs in a bin of {bins[1] - bins[0]:.3f}")
    figure.savefig(path)
    return equal


def identity_map(
    path: Path, features: NDArray[np.float32], identities: NDArray[np.int64], cameras: NDArray[np.int64]
) -> None:
    """Draw a t-SNE map of features (van der Maaten and Hinton 2008): colours are identities, markers cameras.

    Args:
        path: PNG file to write.
        features: `(n, dim)`, rows of length 1.
        identities: `(n,)`; those below 0 are skipped, and of the others 30 are sampled with a fixed seed.
        cameras: `(n,)`.

    Raises:
        ValueError: Fewer than four items remain.
    """
    rows = map_rows(identities)
    features, identities, cameras = features[rows], identities[rows], cameras[rows]
    placed = flat(features)
    figure = Figure((8, 8), dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    people, seen_by = np.unique(identities), np.unique(cameras)
    for camera, marker in zip(seen_by, _cycled(_MARKERS, len(seen_by)), strict=True):
        here = cameras == camera
        order = np.searchsorted(people, identities[here])
        x, y = placed[here].T
        colours = _hues(len(people))[order]
        axes.scatter(x, y, c=colours, marker=marker, s=38, alpha=0.85, linewidths=0.4, edgecolors="white")
        axes.scatter([], [], color=_PALE, marker=marker, s=38, label=f"camera {camera}")
    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.7, "edgecolor": "none"}
    for person, colour in zip(people, _hues(len(people)) * 0.55, strict=True):
        points = placed[identities == person]
        x, y = np.median(points, axis=0)
        spokes = LineCollection(
            [((x, y), point) for point in points], colors=[colour], linewidths=0.7, alpha=0.5, zorder=0
        )
        axes.add_collection(spokes)
        axes.text(x, y, str(person), fontsize=8, color=colour, ha="center", va="center", weight="bold", bbox=box)
    axes.set_title(f"{len(people)} identities, {len(rows)} tracklets, t-SNE", fontsize=10, color=_INK)
    if len(seen_by) <= len(_MARKERS):
        figure.legend(loc="outside lower center", ncols=min(len(seen_by), 6), frameon=False, fontsize=9)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_color("#cccccc")
    figure.savefig(path)


def _cell(axes: Axes, shown: Shown, corner: tuple[float, float], colour: str, text: str) -> None:
    left, top = corner
    crop = cv2.resize(shown.crop, _CELL[::-1], interpolation=cv2.INTER_AREA)
    axes.imshow(crop, extent=(left, left + 1, top + 2, top), aspect="auto", interpolation="bilinear")
    axes.add_patch(Rectangle((left, top), 1, 2, fill=False, edgecolor=colour, linewidth=4, joinstyle="miter"))
    axes.text(left + 0.5, top + 2.06, text, ha="center", va="top", fontsize=7.5, color=_INK, linespacing=1.15)


def _place(shown: Shown) -> str:
    return f"id {shown.identity}  cam {shown.camera}"


def _legend_of_frames(axes: Axes, left: float) -> None:
    words = {Verdict.RIGHT: "right", Verdict.WRONG: "wrong", Verdict.JUNK: "not counted"}
    for at, (verdict, word) in zip(left + np.array([0, 0.8, 1.7]), words.items(), strict=True):
        axes.add_patch(Rectangle((at, -0.64), 0.16, 0.2, facecolor=_FRAMES[verdict], edgecolor="none"))
        axes.text(at + 0.24, -0.54, word, va="center", fontsize=9, color=_INK)


def _finish(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)


def _hues(count: int) -> NDArray[np.float64]:
    """Return `count` colours `(count, 3)`, with neighbours far apart."""
    from matplotlib import colormaps

    order = (np.arange(count) * 7) % 30 / 30
    return np.asarray(colormaps["hsv"](order)[:, :3] * 0.85, np.float64)


def _cycled(marks: str, count: int) -> str:
    return (marks * (count // len(marks) + 1))[:count]
