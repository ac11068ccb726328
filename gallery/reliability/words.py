"""The report for a terminal of 80 columns: a small table, and diagrams of characters."""

import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime

from gallery.reliability.curves import BINS, FEWEST, LEVELS, Curve, allowed
from gallery.reliability.learnt import ModelScale, Normal
from gallery.reliability.report import Report, TruthCheck

WIDTH = 79
BAR = 22
_LABEL = 18
_AT_ONCE, _PARTS = "two people at once", "tracks in parts"
_SHOWN = LEVELS[1:]


def lines(report: Report) -> Iterator[str]:
    """Yield the lines of a report."""
    until = datetime.fromtimestamp(report.decided_until_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S")
    yield (f"What site {report.site_id} has learnt, decided until {until} UTC (version {report.version})")
    for model in report.models:
        yield ""
        yield from _model(report, model)
    yield ""
    for told in of_cameras(report):
        yield from textwrap.wrap(told, WIDTH, break_on_hyphens=False)
    if report.truth is not None:
        yield ""
        yield from _truth(report.truth, report.false_merge_rate)


def _model(report: Report, model: ModelScale) -> Iterator[str]:
    yield f"model {model.model_id}"
    yield from _row(
        "learnt from",
        f"the prior, {model.certain_pairs:.0f} pairs of people seen at once, {model.unlabelled_pairs:.0f} other pairs",
    )
    yield from _row("different people", _moved(model.different, model.prior_different))
    yield from _row("the same person", _moved(model.same, model.prior_same))
    yield from _row(
        "look alike anyway", f"{model.alike:.1%} of other people, by {model.alike_pairs:.0f} pairs seen at once"
    )
    if model.seen_different is not None:
        yield from _row("seen at once now", _normal(model.seen_different))
    yield from _row("matched from", f"{_similarity(model.matches_from)} (false_merge_rate {report.false_merge_rate:g})")
    yield from _row("camera shifts", _shifts(report, model))
    yield ""
    yield from _curves(model)


def _row(label: str, text: str) -> list[str]:
    first = "  " + label.ljust(_LABEL)
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=" " * len(first))


def _moved(now: Normal, prior: Normal) -> str:
    return f"{_normal(now)} (prior {prior.mean:.2f} +- {prior.std:.2f})"


def _normal(one: Normal) -> str:
    return f"similarity {one.mean:.2f} +- {one.std:.2f}"


def _similarity(value: float | None) -> str:
    return "no similarity" if value is None else f"similarity {value:.2f}"


def _shifts(report: Report, model: ModelScale) -> str:
    if not model.shifts or report.shifts_at is None:
        return "none yet: they take more people, or gallery.normalise_cameras is off"
    each = ", ".join(f"{camera} {length:.2f}" for camera, length in model.shifts.items())
    return f"{each} of 1 (estimated when {report.shifts_at} of {report.numbered} people were known)"


def of_cameras(report: Report) -> list[str]:
    """Return what was learnt of each two cameras, a sentence each."""
    told = {
        "Cameras that never see one person at the same time": report.disjoint,
        "Cameras that see the same floor, so that places tell people apart": report.same_floor,
    }
    pairs = {what: "; ".join(f"{one} and {other}" for one, other in both) for what, both in told.items()}
    return [f"{what}: {both or 'none known'}." for what, both in pairs.items()]


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
    yield f"  {'stated':9} {_heading('two people at once', different):{BAR + 9}} {_heading('tracks in parts', same)}"
    for place in range(BINS):
        stated = f"{place / BINS:.1f}-{(place + 1) / BINS:.1f}"
        yield f"  {stated:9} {_bar(different, place):{BAR + 9}} {_bar(same, place)}".rstrip()
    yield ""
    yield f"  {'wrong and this sure':22}" + " ".join(f"{stated:8.2f}" for stated in _SHOWN)
    yield _verdict(_AT_ONCE, different).rstrip()
    yield _verdict(_PARTS, same)
    yield f"  {'allowed':22}" + " ".join(f"{allowed(stated):8.1%}" for stated in _SHOWN)
    yield ""
    yield from textwrap.wrap(f"{_ALLOWED} {BIAS}", WIDTH, initial_indent="  ", subsequent_indent="  ")


_ALLOWED = "Allowed is what calibrated probabilities can have; ! is clearly more."
BIAS = (
    "Both samples are biased. People seen at once share a camera, so they look more alike than people of two cameras, "
    "and they taught the calibration: more wrong answers than calibrated probabilities can have mean too sure within a "
    "camera, perhaps not between cameras. Parts of one track follow each other, so they look more alike than a person "
    "who comes back: more than that means too sure everywhere. Neither can show that all is well; --truth can."
)


def _heading(name: str, curve: Curve) -> str:
    return f"{name}: {curve.pairs}"


def _bar(curve: Curve, place: int) -> str:
    if not curve.pairs:
        return ""
    share = curve.bins[place]
    return f"{share:5.0%}  {'#' * round(share * BAR)}"


def _verdict(name: str, curve: Curve) -> str:
    if curve.pairs < FEWEST:
        return f"  {name:22}   too few: {FEWEST} are needed"
    shown = [level for level in curve.levels if level.stated in _SHOWN]
    return f"  {name:22}" + "".join(f"{level.share:8.1%}{'!' if level.too_sure else ' '}" for level in shown)


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
        low, high = known.wrong_range
        yield (
            f"  wrong matches: asked {asked:.1%}, stated {known.expected_wrong / known.matches:.1%}, "
            f"got {known.wrong / known.matches:.1%} ({low:.1%} to {high:.1%})"
        )
        yield f"  calibration error: {known.error:.3f}"
    yield from textwrap.wrap(
        f"Matches not judged: {check.nobody} whose tracklets show nobody of the truth, or several people; "
        f"{check.alone} whose identity has no other tracklet left to compare with. Of {check.at_once} pairs of tracks "
        f"that were seen at once, {check.at_once_same} show one person after all.",
        WIDTH,
        initial_indent="  ",
        subsequent_indent="  ",
    )


def _diagram(stated: float, right: float) -> str:
    drawn = list(("#" * round(right * 40)).ljust(40))
    drawn[min(39, max(0, round(stated * 40) - 1))] = "v"
    return "".join(drawn)
