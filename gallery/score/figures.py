"""A score as figures under their standard names: fractions, and counts of boxes, people and changes."""

from gallery.score.measures.confusion import Confusion
from gallery.score.measures.identification import Identification
from gallery.score.measures.links import Links
from gallery.score.presence import Shown
from gallery.score.site import Score, ScoreTable


def figures_of(score: Score) -> dict[str, float]:
    """Return every measure of a score, named as in TrackEval; `ReID-` are those of NIST's reid_hota."""
    identity, hota, reid, clear = score.identity, score.hota, score.reid_hota, score.clear
    return {
        "IDF1": identity.idf1,
        "IDP": identity.idp,
        "IDR": identity.idr,
        "IDTP": identity.true_positives,
        "IDFP": identity.false_positives,
        "IDFN": identity.false_negatives,
        "HOTA": hota.hota,
        "DetA": hota.det_a,
        "AssA": hota.ass_a,
        "LocA": hota.loc_a,
        "DetRe": hota.det_re,
        "DetPr": hota.det_pr,
        "AssRe": hota.ass_re,
        "AssPr": hota.ass_pr,
        "ReID-HOTA": reid.hota,
        "ReID-DetA": reid.det_a,
        "ReID-AssA": reid.ass_a,
        "MOTA": clear.mota,
        "MOTP": clear.motp,
        "CLR_TP": clear.true_positives,
        "CLR_FP": clear.false_positives,
        "CLR_FN": clear.false_negatives,
        "IDSW": clear.switches,
        "Frag": clear.fragments,
        "MT": clear.mostly_tracked,
        "PT": clear.partly_tracked,
        "ML": clear.mostly_lost,
    }


def as_json(table: ScoreTable) -> dict[str, object]:
    """Return everything about a site's score as JSON objects; times are in the unit that `times_in` names."""
    return {
        "all": figures_of(table.overall),
        "separate": figures_of(table.separate),
        "cameras": {name: figures_of(score) for name, score in table.cameras.items()},
        "links": _links(table.links),
        "camera_links": [{"cameras": list(pair), **_links(found)} for pair, found in table.camera_links.items()],
        "identification": _identification(table.identification),
        "times_in": "seconds" if table.clock.in_seconds else "frames",
        "merges": [_confusion(one, "number", "people", "person") for one in table.merges],
        "splits": [_confusion(one, "person", "numbers", "number") for one in table.splits],
        "identities": table.numbers,
        "matched_identities": len(table.people),
        "remarks": table.remarks,
    }


def _links(links: Links) -> dict[str, float | None]:
    return {"precision": links.precision, "recall": links.recall, "true": links.true, "claimed": links.claimed}


def _identification(found: Identification) -> dict[str, float | None]:
    return {
        "FPIR": found.fpir,
        "FNIR": found.fnir,
        "first_visits": found.first,
        "false_positives": found.false_positives,
        "later_visits": found.later,
        "false_negatives": found.false_negatives,
        "visits_not_found": found.not_found,
    }


def _confusion(one: Confusion, whole: str, parts: str, part: str) -> dict[str, object]:
    return {
        whole: one.id,
        "wrong_boxes": one.wrong,
        parts: [{part: each.id, "boxes": each.boxes, "spans": [_span(s) for s in each.spans]} for each in one.parts],
    }


def _span(span: Shown) -> dict[str, object]:
    return {"camera": span.camera, "first": span.first, "last": span.last, "boxes": span.boxes}
