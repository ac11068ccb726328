"""What a site has learnt about similarities, and whether the probabilities that follow from it can be trusted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gallery.decision.coverage import Coverage
from gallery.decision.log_odds import threshold
from gallery.decision.normalise import Shifts
from gallery.decision.rules import Rules
from gallery.decision.scale_state import decode_scale, written_by
from gallery.decision.staying import staying
from gallery.decision.visibility import presences
from gallery.errors import NothingLearnt
from gallery.reliability.certain import mistaken
from gallery.reliability.curves import Reliability, reliability
from gallery.reliability.learnt import ModelScale, disjoint_cameras, model_scale
from gallery.reliability.matches import judged, people_of
from gallery.score.first_frame import FirstFrame
from gallery.score.mot import Boxes
from gallery.store.store import Learnt, Store, StoredTracklet, TrackQuery

MAX_TRACKLETS = 5_000  # the latest ones: at 10 kB each, 50 MB


@dataclass(frozen=True, slots=True)
class TruthCheck:
    """Matches held against the truth.

    Attributes:
        reliability: Stated probabilities, and whether they were right.
        nobody, alone: Matches that cannot be judged, as in `matches.Judged`.
        tracklets: Number of tracklets of the truth's cameras.
        known: Number of those that show one person of the truth.
        at_once: Number of pairs of tracks that were seen at once in one camera, and show known people.
        at_once_same: Number of those that show one person after all.
        cameras: The truth's cameras, sorted.
    """

    reliability: Reliability
    nobody: int
    alone: int
    tracklets: int
    known: int
    at_once: int
    at_once_same: int
    cameras: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What a site has learnt about similarities.

    Attributes:
        site_id: The site.
        version: How often the site was written.
        decided_until_ns: Capture time up to which it is decided.
        false_merge_rate: Fraction of wrong matches that is asked for.
        numbered: How many people were numbered in all.
        shifts_at: How many of them were when the camera shifts were estimated last; None if there are no shifts.
        models: By model, sorted by its id.
        disjoint: Cameras that never see one person at the same time.
        same_floor: Cameras that are known to see the same floor, and where somebody in one stands in the other.
        truth: Matches held against the truth; None without one.
        remarks: What was left out or needs attention, one sentence each.
    """

    site_id: str
    version: int
    decided_until_ns: int
    false_merge_rate: float
    numbered: int
    shifts_at: int | None
    models: tuple[ModelScale, ...]
    disjoint: tuple[tuple[str, str], ...]
    same_floor: tuple[tuple[str, str], ...]
    truth: TruthCheck | None = None
    remarks: tuple[str, ...] = ()


def show(store: Store, rules: Rules, false_merge_rate: float) -> tuple[Report, list[StoredTracklet]]:
    """Return what a site has learnt, and its latest tracklets; changes nothing.

    Raises:
        NothingLearnt: The site was never decided, or an unknown version wrote what it learnt.
    """
    learnt = store.learnt()
    site_id = store.site_id
    if learnt.version == 0:
        raise NothingLearnt(f"site {site_id} has no data: nothing was decided there yet")
    written = written_by(learnt.calibration)
    if written == "unknown":
        raise NothingLearnt(
            f"what site {site_id} has learnt was written by another version of climbtrack: show it with that version. "
            "This version learns it anew from the next tracklets"
        )
    calibrations, shifts, coverage = decode_scale(learnt.calibration)
    if not calibrations:
        raise NothingLearnt(
            f"site {site_id} has learnt nothing about similarities yet: that takes tracklets that have ended; try "
            "again when people have left"
        )
    rows = store.find(TrackQuery(limit=MAX_TRACKLETS))
    ended = [row.tracklet for row in rows if row.tracklet.closed and row.tracklet.quality >= rules.min_closing_quality]
    recent = [row for row in rows if row.tracklet.last_ns >= learnt.now_ns - rules.horizon_ns]
    people = {row.identity_id for row in recent} - {None}
    stay = staying(presences(row.tracklet for row in recent))
    match = threshold(rules.match, len(people) - 1, calibrations.values(), stay)
    models = tuple(
        model_scale(model_id, one, shifts, [t for t in ended if t.model_id == model_id], match)
        for model_id, one in sorted(calibrations.items())
    )
    earlier = [_EARLIER] if written == "earlier" else []
    return _report(
        learnt, site_id, false_merge_rate, models, shifts, coverage, [*earlier, *_remarks(models, rows)]
    ), rows


_EARLIER = (
    "an earlier version of climbtrack wrote this site, without camera shifts and disjoint cameras: the next run or "
    "gallery of this version learns them"
)


def _report(
    learnt: Learnt,
    site_id: str,
    false_merge_rate: float,
    models: tuple[ModelScale, ...],
    shifts: Shifts,
    coverage: Coverage,
    remarks: Sequence[str],
) -> Report:
    return Report(
        site_id=site_id,
        version=learnt.version,
        decided_until_ns=learnt.now_ns,
        false_merge_rate=false_merge_rate,
        numbered=learnt.next_identity - 1,
        shifts_at=shifts.learnt_at - 1 if shifts.vectors else None,
        models=models,
        disjoint=tuple(disjoint_cameras(coverage)),
        same_floor=tuple(sorted(coverage.ground.floors)),
        remarks=tuple(remarks),
    )


def _remarks(models: Sequence[ModelScale], rows: Sequence[StoredTracklet]) -> list[str]:
    remarks = []
    if len(rows) == MAX_TRACKLETS:
        remarks.append(f"certain pairs were looked for in the latest {MAX_TRACKLETS} tracklets only")
    for model in models:
        if model.source == "prior":
            remarks.append(
                f"model {model.model_id}: nothing was learnt at this site yet; the figures are those that come with "
                "the weights, or are assumed for weights without a prior"
            )
        if model.matches_from is None:
            remarks.append(
                f"model {model.model_id}: no similarity suffices for a match at this false_merge_rate, so everybody "
                "gets a new number each time; raise gallery.false_merge_rate"
            )
    return remarks


def checked(
    report: Report,
    rows: Sequence[StoredTracklet],
    truth: Mapping[str, Boxes],
    first_frame: int | None = None,
    remarks: Sequence[str] = (),
) -> Report:
    """Return a report with the matches held against the truth.

    Args:
        report: As `show` returned it.
        rows: The tracklets it returned.
        truth: Boxes of people by camera, with one number per person everywhere.
        first_frame: Number of the first frame of the truth, 0 or 1; None to find out.
        remarks: What was noticed when the truth was read.
    """
    ours = [row for row in rows if row.tracklet.camera_id in truth]
    first = FirstFrame() if first_frame is None else FirstFrame(first_frame, 1)
    people = people_of(ours, truth, first)
    one = judged(ours, people)
    by_model = [[r.tracklet for r in ours if r.tracklet.model_id == model.model_id] for model in report.models]
    at_once = [mistaken(tracklets, people) for tracklets in by_model]
    check = TruthCheck(
        reliability=reliability(one.stated, one.right),
        nobody=one.nobody,
        alone=one.alone,
        tracklets=len(ours),
        known=len(people),
        at_once=sum(pairs for pairs, _ in at_once),
        at_once_same=sum(same for _, same in at_once),
        cameras=tuple(sorted(truth)),
    )
    return replace(report, truth=check, remarks=(*report.remarks, *remarks, *_about_truth(check)))


def _about_truth(check: TruthCheck) -> list[str]:
    if not check.tracklets or check.known / check.tracklets >= 0.5:
        return []
    return [
        f"only {check.known} of {check.tracklets} tracklets of {', '.join(check.cameras)} show somebody of the truth: "
        "it must be the truth of the videos that were read, with the same frame numbers (--truth-first-frame)"
    ]
