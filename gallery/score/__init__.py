"""Compare tracks with ground truth: MOTChallenge text in, identity scores across the cameras of a site out."""

from gallery.score.first_frame import FirstFrame
from gallery.score.identity import IdentityScore, ScoreTable, score_folder, score_site
from gallery.score.mot import Boxes, read_boxes
from gallery.score.overlap import overlap

__all__ = [
    "Boxes",
    "FirstFrame",
    "IdentityScore",
    "ScoreTable",
    "overlap",
    "read_boxes",
    "score_folder",
    "score_site",
]
