"""Draw the dashboards from the series of a running Prometheus, as docs/dashboards.md shows them.

    climbtrack cluster up --config site.yaml
    python -m docs.images.dashboards http://127.0.0.1:9090 --minutes 15

Grafana draws the same panels; this needs nothing but matplotlib. Look at the pictures: a panel without series says so.
"""

import argparse
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray
from PIL import Image

from docs.dashboards import GRID_COLUMNS, Dashboard, Panel, read_dashboards

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent
CHOSEN = {"$job": "climbtrack", "$camera": ".*", "$__rate_interval": "1m"}
POINTS = 240
TITLE = 0.6  # inches above the panels
INCHES = (0.62, 0.42)  # of one column and one row of the grid
COLOURS = ("#2a78d6", "#1baf7a", "#eda100", "#008300", "#4a3aa7", "#e34948", "#e87ba4", "#eb6834", "#5d6b7a", "#7fa650")
PAPER, CARD, INK, PALE, GOOD, WORRY = "#f2f4f6", "#ffffff", "#1c2733", "#6b7885", "#188a5a", "#c8382e"
MAX_LEGEND = 6


@dataclass(frozen=True, slots=True)
class Series:
    """One curve: its legend, Unix times in s, and values."""

    legend: str
    times: NDArray[np.float64]
    values: NDArray[np.float64]


def fetch(server: str, panel: Panel, until_s: float, minutes: float) -> list[Series]:
    """Return the curves of a panel."""
    found = []
    step = minutes * 60 / POINTS
    for legend, expression in panel.lines.items():
        asked = expression
        for name, value in CHOSEN.items():
            asked = asked.replace(name, value)
        given: dict[str, str | float] = {"query": asked, "start": until_s - minutes * 60, "end": until_s, "step": step}
        rows: list[dict[str, Any]] = httpx.get(f"{server}/api/v1/query_range", params=given).json()["data"]["result"]
        for row in rows:
            times, values = np.array([(float(at), float(value)) for at, value in row["values"]]).T
            found.append(Series(named(legend, row["metric"]), times, values))
    return found


def named(legend: str, labels: Mapping[str, str]) -> str:
    """Return a legend with the values of labels in place of their names in double braces."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), legend).strip()


def amount(value: float, unit: str) -> str:
    """Return a value with its unit, in as many digits as one reads."""
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    if unit == "s":
        return f"{value * 1000:.3g} ms" if 0 < abs(value) < 0.1 else f"{value:.3g} s"
    if unit in {"bytes", "Bps"}:
        text = f"{value / 1e9:.3g} GB" if value >= 1e9 else f"{value / 1e6:.3g} MB"
        return text + "/s" * (unit == "Bps")
    return f"{value:.3g}" + " /s" * (unit == "ops")


def is_worrying(panel: Panel, value: float) -> bool:
    """Return whether a value is beyond the limits of its panel."""
    too_low = panel.below is not None and value < panel.below
    return too_low or (panel.above is not None and value >= panel.above)


def draw_stat(axes: Axes, panel: Panel, series: list[Series]) -> None:
    """Draw the latest value, large, over its curve."""
    axes.set_axis_off()
    if not series:
        axes.text(0.5, 0.4, "no data", ha="center", color=PALE, transform=axes.transAxes)
        return
    (first, *_) = series
    latest = float(first.values[-1])
    colour = WORRY if is_worrying(panel, latest) else GOOD if panel.above or panel.below else INK
    axes.text(0.5, 0.42, amount(latest, panel.unit), ha="center", va="center", fontsize=19, fontweight="bold",
              color=colour, transform=axes.transAxes)  # fmt: skip


def draw_lines(axes: Axes, panel: Panel, series: list[Series], span: tuple[float, float]) -> None:
    """Draw curves with their limit and a legend below."""
    if not any(np.isfinite(one.values).any() for one in series):
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no data", ha="center", color=PALE, transform=axes.transAxes)
        return
    axes.set_xlim(*moments(np.array(span)).tolist())
    axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(dates.AutoDateLocator(minticks=3, maxticks=6))  # type: ignore[no-untyped-call]
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: amount(value, panel.unit)))
    axes.tick_params(labelsize=7, colors=PALE, length=0)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color="#e6eaee", linewidth=0.8)
    for side in axes.spines.values():
        side.set_visible(False)
    if panel.stacked:
        stack(axes, series)
    else:
        for one, colour in zip(series, cycle(len(series)), strict=True):
            axes.plot(moments(one.times), one.values, color=colour, linewidth=1.3, label=one.legend)
    values = np.concatenate([one.values for one in series])
    empty = not np.any(values[np.isfinite(values)])
    axes.set_ylim(min(0.0, axes.get_ylim()[0]) if np.any(values < 0) else 0.0, 1.0 if empty else None)
    for limit in (panel.below, panel.above):
        if limit is not None and limit <= 3 * axes.get_ylim()[1]:
            axes.axhline(limit, color=WORRY, linewidth=0.9, linestyle=(0, (4, 3)))
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[:MAX_LEGEND], labels[:MAX_LEGEND], loc="upper left", bbox_to_anchor=(-0.02, -0.13), ncols=3,
                fontsize=6.5, frameon=False, labelcolor=INK, handlelength=1.0, columnspacing=1.0)  # fmt: skip


def stack(axes: Axes, series: list[Series]) -> None:
    """Draw curves on top of one another."""
    times = np.unique(np.concatenate([one.times for one in series]))
    layers = [np.interp(times, one.times, one.values, left=0, right=0) for one in series]
    axes.stackplot(moments(times), layers, colors=cycle(len(series)), alpha=0.85, labels=[one.legend for one in series])


def cycle(count: int) -> list[str]:
    """Return so many colours."""
    return [COLOURS[n % len(COLOURS)] for n in range(count)]


def moments(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Unix times as matplotlib counts them, in days."""
    return times / 86_400


def draw(one: Dashboard, server: str, minutes: float, until_s: float) -> Figure:
    """Return a dashboard as a figure."""
    rows = max(panel.at[1] + panel.size[1] for panel in one.panels)
    size = (GRID_COLUMNS * INCHES[0], rows * INCHES[1] + TITLE)
    figure = Figure(figsize=size, facecolor=PAPER)
    figure.text(0.012, 1 - 0.34 / size[1], one.title, fontsize=13, fontweight="bold", color=INK, va="center")
    for panel in one.panels:
        axes = place(figure, panel, size)
        series = fetch(server, panel, until_s, minutes)
        if panel.kind == "stat":
            draw_stat(axes, panel, series)
        else:
            draw_lines(axes, panel, series, (until_s - minutes * 60, until_s))
    return figure


def place(figure: Figure, panel: Panel, size: tuple[float, float]) -> Axes:
    """Draw the card of a panel with its title, and return the axes on it; sizes are in inches."""
    (width, height), ((x, y), (columns, high)) = size, (panel.at, panel.size)
    left, wide, tall = x * INCHES[0], columns * INCHES[0], high * INCHES[1]
    bottom = height - TITLE - y * INCHES[1] - tall

    def within(around: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """Return the panel's rectangle less these margins (left, bottom, right, top), as fractions of the figure."""
        west, south, east, north = around
        return ((left + west) / width, (bottom + south) / height, (wide - west - east) / width,
                (tall - south - north) / height)  # fmt: skip

    card = within((0.07, 0.07, 0.07, 0.07))
    figure.add_artist(FancyBboxPatch(card[:2], *card[2:], facecolor=CARD, edgecolor="#dde3e8", linewidth=0.8,
                                     boxstyle="round,pad=0,rounding_size=0.004", zorder=-1,
                                     transform=figure.transFigure))  # fmt: skip
    title = ((left + 0.2) / width, (bottom + tall - 0.27) / height)
    figure.text(*title, panel.title, fontsize=8.5, color=INK, va="center")
    margins = (0.1, 0.1, 0.1, 0.35) if panel.kind == "stat" else (0.66, 0.78, 0.2, 0.45)
    return figure.add_axes(within(margins), facecolor="none")


def main() -> None:
    """Draw all dashboards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="such as http://127.0.0.1:9090")
    parser.add_argument("--minutes", type=float, default=15.0, help="how much of the past is shown")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the pictures")
    given = parser.parse_args()
    until_s = time.time()
    for one in read_dashboards(ROOT):
        figure = draw(one, given.server, given.minutes, until_s)
        drawn = BytesIO()
        figure.savefig(drawn, dpi=100)
        Image.open(drawn).convert("RGB").quantize(224).save(given.out / f"dashboard-{one.name}.png", optimize=True)


if __name__ == "__main__":
    main()
