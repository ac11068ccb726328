"""The report for a terminal of 80 columns: a small table, and diagrams of characters."""

import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime

from gallery.reliability.curves import BINS, FEWEST, Curve, Level
from gallery.reliability.learnt import ModelScale, Normal
from gallery.reliability.report import Report, TruthCheck

WIDTH = 79
BAR = 22
_LABEL = 18


def lines(report: Report) -> Iterator[str]:
    """Yield the lines of a report."""
    until = datetime.fromtimestamp(report.decided_until_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S")
    yield (f"What site {report.site_id} has learnt, decided until {until} UTC (version {report.version})")
    for model in report.models:
        yield ""
        yield from _model(report, model)
    yield ""
    yield from _disjoint(report)
    if report.truth is not None:
        yield ""
        yield from _truth(report.truth, report.false_merge_rate)


def _model(report: Report, model: ModelScale) -> Iterator[str]:
    prior = "the weights' prior" if model.has_own_prior else "the default prior"
    yield f"model {model.model_id}"
    yield from _row(
        "learnt from",
        f"{prior}, {model.certain_pairs:.0f} pairs of people seen at once, {model.unlabelled_pairs:.0f} other pairs",
    )
    yield from _row("different people", _moved(model.different, model.prior_different))
    yield from _row("the same person", _moved(model.same, model.prior_same))
    yield from _row("matched from", f"{_similarity(model.matches_from)} (false_merge_rate {report.false_merge_rate:g})")
    yield from _row("camera shifts", _shifts(report, model))
    yield ""
    yield from _curves(model)


def _row(label: str, text: str) -> list[str]:
    first = "  " + label.ljust(_LABEL)
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=" " * len(first))


def _moved(now: Normal, prior: Normal) -> str:
    return f"similarity {now.mean:.2f} +- {now.std:.2f} (prior {prior.mean:.2f} +- {prior.std:.2f})"


def _similarity(value: float | None) -> str:
    return "no similarity" if value is None else f"similarity {value:.2f}"


def _shifts(report: Report, model: ModelScale) -> str:
    if not model.shifts or report.shifts_at is None:
        return "none yet: they take more people, or gallery.normalise_cameras is off"
    each = ", ".join(f"{camera} {length:.2f}" for camera, length in model.shifts.items())
    return f"{each} of 1 (estimated when {report.shifts_at} of {report.numbered} people were known)"


def _disjoint(report: Report) -> list[str]:
    pairs = "; ".join(f"{one} and {other}" for one, other in report.disjoint)
    return textwrap.wrap(
        f"Cameras that never see one person at the same time: {pairs or 'none known'}.", WIDTH, break_on_hyphens=False
    )


def _curves(model: ModelScale) -> Iterator[str]:
    yield from textwrap.wrap(
        f"Stated probability of one person, with equal chances beforehand, for certain pairs among the latest "
        f"{model.tracklets} tracklets:",
        WIDTH,
        initial_indent="  ",
        subsequent_indent="  ",
    )
    different, same = model.different_curve, model.same_curve
    yield ""
    yield f"  {'stated':9} {_heading('different', different):{BAR + 9}} {_heading('the same', same)}"
    for place in range(BINS):
        stated = f"{place / BINS:.1f}-{(place + 1) / BINS:.1f}"
        yield f"  {stated:9} {_bar(different, place):{BAR + 9}} {_bar(same, place)}".rstrip()
    yield ""
    yield from _verdict("different", different)
    yield from _verdict("the same", same)
    yield from textwrap.wrap(_BIAS, WIDTH, initial_indent="  ", subsequent_indent="  ")


_BIAS = (
    "Both are biased samples: people seen at once share a camera, and so look more alike than people of two cameras; "
    "parts of one track follow each other, and so look more alike than a person who comes back. The first also taught "
    "the calibration. They can show that it is too sure, but not that it is right; --truth can."
)


def _heading(name: str, curve: Curve) -> str:
    unit = "pair" if curve.pairs == 1 else "pairs"
    return f"{name}: {curve.pairs} {unit}"


def _bar(curve: Curve, place: int) -> str:
    if not curve.pairs:
        return ""
    share = curve.bins[place]
    return f"{share:5.0%}  {'#' * round(share * BAR)}"


def _verdict(name: str, curve: Curve) -> list[str]:
    if curve.pairs < FEWEST:
        text = f"{name}: too few pairs to say whether it is too sure ({FEWEST} are needed)"
    else:
        shown = "; ".join(_level(level) for level in curve.levels[1:])
        text = f"{name}: share of pairs for which the wrong answer is stated at least so surely: {shown}"
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")


def _level(level: Level) -> str:
    mark = ", TOO SURE" if level.too_sure else ""
    return f"at {level.stated:.2f} {level.share:.1%} (allowed {level.at_most:.1%}{mark})"


def _truth(check: TruthCheck, asked: float) -> Iterator[str]:
    known = check.reliability
    yield f"Matches held against the truth: {known.matches - known.wrong} of {known.matches} right"
    if known.error is not None:
        yield ""
        yield f"  {'stated':9} {'matches':>7} {'mean':>6} {'right':>6}"
        for place, one in enumerate(known.bins):
            if one.stated is not None and one.right is not None:
                stated = f"{place / BINS:.1f}-{(place + 1) / BINS:.1f}"
                drawn = _diagram(one.stated, one.right)
                yield f"  {stated:9} {one.matches:7d} {one.stated:6.2f} {one.right:6.2f}  |{drawn}|"
        yield "  (#: right, v: what was stated; a calibrated bar ends at the v)"
        yield ""
        yield (
            f"  wrong matches: asked {asked:.1%}, stated {known.expected_wrong / known.matches:.1%}, "
            f"got {known.wrong / known.matches:.1%}; calibration error {known.error:.3f}"
        )
    yield from textwrap.wrap(
        f"Not judged: {check.nobody} matches whose tracklets show nobody of the truth, or several people; "
        f"{check.alone} whose identity has no other tracklet left to compare with.",
        WIDTH,
        initial_indent="  ",
        subsequent_indent="  ",
    )


def _diagram(stated: float, right: float) -> str:
    drawn = list(("#" * round(right * 40)).ljust(40))
    drawn[min(39, max(0, round(stated * 40) - 1))] = "v"
    return "".join(drawn)
