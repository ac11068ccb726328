"""Is a track a person? Chairs, posters and coats on a hook look like one now and then, but stay where they are."""

import msgspec


class Evidence(msgspec.Struct, frozen=True, array_like=True):
    """What speaks for a track being a person.

    Attributes:
        boxes: How often it was detected.
        score_sum: Of all detections.
        strong: How many detections had a strong score.
        home: Centre x, centre y, width and height of its first box, px.
        travelled: Farthest distance of a box centre from home, in box widths.
    """

    boxes: int = 0
    score_sum: float = 0.0
    strong: int = 0
    home: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    travelled: float = 0.0


class PersonOptions(msgspec.Struct, frozen=True):
    """When a track counts as a person.

    Attributes:
        min_boxes: Fewer detections are a flicker.
        strong_score: A detection that is hardly ever wrong.
        strong_boxes: So many of them make a person, even one that never moves.
        min_travel: So many widths away from where it began make a person, even a faint one.
    """

    min_boxes: int = 3
    strong_score: float = 0.7
    strong_boxes: int = 3
    min_travel: float = 0.5


def gather(
    evidence: Evidence, box: tuple[float, float, float, float], score: float, options: PersonOptions
) -> Evidence:
    """Return the evidence with one more detection, xyxy px."""
    x, y, w, h = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]
    home = evidence.home if evidence.boxes else (x, y, max(w, 1.0), max(h, 1.0))
    distance = max(abs(x - home[0]), abs(y - home[1])) / home[2]
    return Evidence(
        boxes=evidence.boxes + 1,
        score_sum=evidence.score_sum + score,
        strong=evidence.strong + (score >= options.strong_score),
        home=home,
        travelled=max(evidence.travelled, distance),
    )


def is_person(evidence: Evidence, options: PersonOptions) -> bool:
    """Tell whether the evidence is enough; once it is, it stays enough."""
    if evidence.boxes < options.min_boxes:
        return False
    return evidence.strong >= options.strong_boxes or evidence.travelled >= options.min_travel
