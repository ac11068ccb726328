"""Compare tracks with ground truth: MOTChallenge text in, the field's measures across the cameras of a site out."""

from gallery.score.first_frame import FirstFrame
from gallery.score.measures.clear import ClearScore
from gallery.score.measures.hota import HotaScore
from gallery.score.measures.identity import IdentityScore
from gallery.score.mot import Boxes, read_boxes
from gallery.score.overlap import overlap
from gallery.score.site import Score, ScoreTable, score_folder, score_site

__all__ = [
    "Boxes",
    "ClearScore",
    "FirstFrame",
    "HotaScore",
    "IdentityScore",
    "Score",
    "ScoreTable",
    "overlap",
    "read_boxes",
    "score_folder",
    "score_site",
]
