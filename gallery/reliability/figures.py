"""The report as one JSON object; keys may be added, but are never removed."""

from dataclasses import asdict
from typing import Any

from gallery.api.schemas import iso
from gallery.reliability.curves import BINS, Curve
from gallery.reliability.learnt import ModelScale, Normal
from gallery.reliability.report import Report, TruthCheck


def as_json(report: Report) -> dict[str, Any]:
    """Return the object that `climbtrack calibrate --show --json` prints."""
    return {
        "site": report.site_id,
        "version": report.version,
        "decided_until": iso(report.decided_until_ns),
        "false_merge_rate": report.false_merge_rate,
        "people": report.numbered,
        "shifts_at_people": report.shifts_at,
        "models": {model.model_id: _model(model) for model in report.models},
        "disjoint_cameras": [list(cameras) for cameras in report.disjoint],
        "truth": None if report.truth is None else _truth(report.truth),
        "remarks": list(report.remarks),
    }


def _model(model: ModelScale) -> dict[str, Any]:
    return {
        "source": model.source,
        "prior": {
            "different": _normal(model.prior_different),
            "same": _normal(model.prior_same),
        },
        "certain_pairs": round(model.certain_pairs, 1),
        "unlabelled_pairs": round(model.unlabelled_pairs, 1),
        "different": _normal(model.different),
        "same": _normal(model.same),
        "alike": _rounded(model.alike),
        "alike_pairs": round(model.alike_pairs, 1),
        "matches_from": _rounded(model.matches_from),
        "camera_shifts": {camera: _rounded(length) for camera, length in model.shifts.items()},
        "tracklets": model.tracklets,
        "certainly_different": _curve(model.different_curve, model.seen_different),
        "certainly_same": _curve(model.same_curve, model.seen_same),
    }


def _curve(curve: Curve, seen: Normal | None) -> dict[str, Any]:
    return {
        "pairs": curve.pairs,
        "similarity": None if seen is None else _normal(seen),
        "bins": [_rounded(share) for share in curve.bins],
        "wrong_at_least": [
            {
                "stated": level.stated,
                "share": _rounded(level.share),
                "at_most": _rounded(level.at_most),
                "too_sure": level.too_sure,
            }
            for level in curve.levels
        ],
    }


def _truth(check: TruthCheck) -> dict[str, Any]:
    known = check.reliability
    return {
        "cameras": list(check.cameras),
        "tracklets": check.tracklets,
        "tracklets_known": check.known,
        "matches": known.matches,
        "wrong": known.wrong,
        "false_merge_rate": _rounded(known.wrong / known.matches if known.matches else None),
        "false_merge_rate_range": [_rounded(bound) for bound in known.wrong_range],
        "stated_false_merge_rate": _rounded(known.expected_wrong / known.matches if known.matches else None),
        "calibration_error": _rounded(known.error),
        "bins": [{"from": place / BINS, **asdict(one)} for place, one in enumerate(known.bins)],
        "seen_at_once": {"pairs": check.at_once, "one_person": check.at_once_same},
        "not_judged": {"nobody": check.nobody, "alone": check.alone},
    }


def _normal(normal: Normal) -> dict[str, float | None]:
    return {"mean": _rounded(normal.mean), "std": _rounded(normal.std)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
