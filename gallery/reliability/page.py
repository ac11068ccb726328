"""The report as one self-contained HTML page: what similarities mean, certain pairs, and matches against the truth."""

import math
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from gallery.api.schemas import iso
from gallery.reliability.curves import BINS, Curve
from gallery.reliability.learnt import ModelScale, Normal
from gallery.reliability.report import Report, TruthCheck
from gallery.reliability.words import BIAS, of_cameras
from gallery.score.page.style import STYLE
from gallery.score.page.write import write_whole

WIDE, HIGH = 520, 240  # px of a diagram
POINTS = 100  # of a curve
_TENTHS = ("0", "0.2", "0.4", "0.6", "0.8", "1")

_OWN_STYLE = """
svg { display: block; background: var(--card); border: 1px solid var(--line); border-radius: 6px; width: 100%;
  max-width: 620px; }
svg text { font: 12px system-ui, sans-serif; fill: var(--soft); }
svg .grid { stroke: var(--line); } svg .mark { stroke: var(--ink); stroke-dasharray: 4 3; }
svg .two { stroke: oklch(var(--l) var(--c) 30); fill: oklch(var(--l) var(--c) 30 / .3); }
svg .one { stroke: oklch(var(--l) var(--c) 250); fill: oklch(var(--l) var(--c) 250 / .3); }
svg .prior { fill: none; stroke-dasharray: 2 3; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); gap: 16px; }
"""
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>What site {site} has learnt</title>
<style>{style}</style>
<main>
<header><h1>What site {site} has learnt</h1><p>{subtitle}</p></header>
{body}
<footer>{footer}</footer>
</main>
</html>
"""


def write_page(report: Report, path: Path) -> None:
    """Write the page atomically.

    Raises:
        OSError: The file cannot be written.
    """
    write_whole(page(report), path)


def page(report: Report) -> str:
    """Return the page."""
    sections = [part for model in report.models for part in _model(model)]
    if report.truth is not None:
        sections.insert(0, _truth(report.truth, report.false_merge_rate))
    remarks = (BIAS, *of_cameras(report), *report.remarks)
    return _PAGE.format(
        site=escape(report.site_id),
        style=STYLE + _OWN_STYLE,
        subtitle=f"Decided until {iso(report.decided_until_ns)}, version {report.version}, {report.numbered} people.",
        body="\n".join(sections),
        footer=" ".join(map(escape, remarks)),
    )


def _model(model: ModelScale) -> Iterator[str]:
    least = "none" if model.matches_from is None else f"{model.matches_from:.2f}"
    tiles = (
        ("Different people", f"{model.different.mean:.2f}", f"standard deviation {model.different.std:.2f}"),
        ("The same person", f"{model.same.mean:.2f}", f"standard deviation {model.same.std:.2f}"),
        ("Look alike anyway", f"{model.alike:.1%}", "of other people, whatever their similarity says"),
        ("Matched from", least, "the similarity that meets the false-merge rate"),
        ("Certain pairs", f"{model.certain_pairs:.0f}", "people seen at once in one camera"),
        ("Other pairs", f"{model.unlabelled_pairs:.0f}", "of tracklets"),
        *((f"Shift of {camera}", f"{length:.2f}", "of 1") for camera, length in model.shifts.items()),
    )
    yield f"<section><h2>Model {escape(model.model_id)}</h2>{_tiles(tiles)}</section>"
    yield (
        '<section class="pair"><div><h2>Similarities</h2><p class="note">Different people left, the same person right; '
        f"dotted: before anything was learnt; dashed: matched from here.</p>{_densities(model)}</div>"
        f'<div><h2>Certain pairs</h2><p class="note">Stated probability of one person: {model.different_curve.pairs} '
        f"pairs of people seen at once (left bars), tracks in parts: {model.same_curve.pairs} (right bars).</p>"
        f"{_certain(model.different_curve, model.same_curve)}</div></section>"
    )


def _tiles(tiles: Iterable[tuple[str, str, str]]) -> str:
    inside = "".join(f"<div><h2>{escape(name)}</h2><b>{value}</b><p>{more}</p></div>" for name, value, more in tiles)
    return f'<div class="tiles">{inside}</div>'


def _densities(model: ModelScale) -> str:
    drawn = [
        (model.prior_different, "two prior"),
        (model.prior_same, "one prior"),
        (model.different, "two"),
        (model.same, "one"),
    ]
    top = max(_density(one, one.mean) for one, _ in drawn)
    lines = "".join(f'<polygon class="{name}" points="{_points(one, top)}"/>' for one, name in drawn)
    mark = (
        "" if model.matches_from is None else _line(_across(model.matches_from), 0, _across(model.matches_from), HIGH)
    )
    return _svg(lines + mark + _labels(("-1", "-0.5", "0", "0.5", "1")))


def _density(one: Normal, similarity: float) -> float:
    return math.exp(-(((similarity - one.mean) / one.std) ** 2) / 2) / one.std


def _points(one: Normal, top: float) -> str:
    places = (2 * place / POINTS - 1 for place in range(POINTS + 1))
    curve = " ".join(f"{_across(s):.1f},{HIGH * (1 - 0.95 * _density(one, s) / top):.1f}" for s in places)
    return f"{curve} {WIDE},{HIGH} 0,{HIGH}"


def _across(similarity: float) -> float:
    return (similarity + 1) / 2 * WIDE


def _certain(different: Curve, same: Curve) -> str:
    step = WIDE / BINS
    bars = (
        f'<rect class="{name}" x="{place * step + start:.1f}" y="{HIGH * (1 - share):.1f}" width="{step / 2 - 4:.1f}" '
        f'height="{HIGH * share:.1f}"><title>{share:.1%} of {curve.pairs}</title></rect>'
        for curve, name, start in ((different, "two", 2), (same, "one", step / 2 + 2))
        for place, share in enumerate(curve.bins)
    )
    return _svg("".join(bars) + _labels(_TENTHS) + _shares())


def _truth(check: TruthCheck, asked: float) -> str:
    known = check.reliability
    if known.error is None:
        return "<section><h2>Against the truth</h2><p>No match could be judged.</p></section>"
    low, high = known.wrong_range
    tiles = (
        ("Wrong matches asked", f"{asked:.1%}", "gallery.false_merge_rate"),
        (
            "Wrong matches stated",
            f"{known.expected_wrong / known.matches:.1%}",
            "mean of what the probabilities leave open",
        ),
        (
            "Wrong matches found",
            f"{known.wrong / known.matches:.1%}",
            f"{known.wrong} of {known.matches} matches; 95 %: {low:.1%} to {high:.1%}",
        ),
        ("Calibration error", f"{known.error:.3f}", "mean distance of stated and right"),
    )
    most = max(one.matches for one in known.bins)
    dots = "".join(
        f'<circle class="one" cx="{one.stated * WIDE:.1f}" cy="{HIGH * (1 - one.right):.1f}" '
        f'r="{3 + 9 * math.sqrt(one.matches / most):.1f}"><title>{one.matches} matches: stated {one.stated:.2f}, '
        f"right {one.right:.2f}</title></circle>"
        for one in known.bins
        if one.stated is not None and one.right is not None
    )
    diagram = _svg(_line(0, HIGH, WIDE, 0) + dots + _labels(_TENTHS) + _shares())
    return (
        f'<section><h2>Matches against the truth</h2>{_tiles(tiles)}</section><section><p class="note">Share that was '
        "right, by stated probability; dots below the dashed line are too sure. Larger dots are more matches.</p>"
        f"{diagram}</section>"
    )


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="mark" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _shares() -> str:
    return "".join(
        f'<text x="-8" y="{HIGH * (1 - share) + 4:.0f}" text-anchor="end">{share:.0%}</text>' for share in (0, 0.5, 1)
    )


def _labels(words: Sequence[str]) -> str:
    step = WIDE / (len(words) - 1)
    return "".join(
        f'<line class="grid" x1="{place * step:.1f}" y1="{HIGH}" x2="{place * step:.1f}" y2="{HIGH + 4}"/>'
        f'<text x="{place * step:.1f}" y="{HIGH + 18}" text-anchor="middle">{word}</text>'
        for place, word in enumerate(words)
    )


def _svg(inside: str) -> str:
    return f'<svg viewBox="-48 -16 {WIDE + 64} {HIGH + 44}" role="img">{inside}</svg>'
