"""Answers to searches by picture, as far as the worker goes: the people in a picture, each with an embedding."""

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from reid_worker import crops
from reid_worker.crops import Cutout
from reid_worker.detectors.detection import Detections, areas
from reid_worker.errors import EmbeddingError, PictureError
from reid_worker.picture import decoded
from wire.bus import QUERY_ANSWERS, TRACKLETS
from wire.messages import LookalikeQuery, PictureQuery
from wire.queries import MAX_QUERIED, refusal
from wire.service import Outgoing

MIN_SCORE = 0.4  # of a person in a picture; a tracker can use doubtful boxes, somebody who looks at them cannot
TALL = 1.3  # height to width from which on a picture may be one of a single person, cut out
GREY = (114, 114, 114)  # around what is cut out, as detectors see it around a picture of another shape
NOBODY = "nobody was found in the picture: take one that shows somebody larger and whole, or cut the person out"


class StillPictures(Protocol):
    """The part of `reid_worker.pipeline.Pipeline` that is used here."""

    @property
    def model_id(self) -> str:
        """Return the digest of weights and preprocessing."""

    def detect_still(self, image: NDArray[np.uint8]) -> Detections:
        """Return the people in a BGR picture."""

    def embed_stills(self, people: Sequence[NDArray[np.uint8]]) -> NDArray[np.float16]:
        """Return one L2-normalised row for each RGB crop."""


def answered(query: PictureQuery, pipeline: StillPictures) -> Outgoing:
    """Return the message that follows a query: to the gallery, or back if there is nobody to compare."""
    try:
        image = decoded(query.picture)
        boxes, scores = _people(image, pipeline)
        cut = [Cutout.of(crops.cut(image, box)).rgb() for box in boxes.tolist()]  # as in tracklets
        embeddings = pipeline.embed_stills(cut)
    except (PictureError, EmbeddingError) as error:
        return Outgoing(QUERY_ANSWERS.name, query.asker, refusal(query.query_id, query.asker, str(error)))
    found = LookalikeQuery(
        query_id=query.query_id,
        asker=query.asker,
        site_id=query.site_id,
        time_ns=query.time_ns,
        model_id=pipeline.model_id,
        embeddings=embeddings,
        boxes=boxes,
        scores=scores,
        width=image.shape[1],
        height=image.shape[0],
        limit=query.limit,
    )
    return Outgoing(TRACKLETS.name, query.site_id, found)


def _people(image: NDArray[np.uint8], pipeline: StillPictures) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return boxes and scores of the people of a picture, the largest first; the whole of it if it is one cut out."""
    height, width = image.shape[:2]
    tall = height >= TALL * width
    found = _in_frame(image, pipeline) if tall else _sure(pipeline.detect_still(image))
    if tall and not len(found):
        found = _sure(pipeline.detect_still(image))
    if not len(found) and not tall:
        raise PictureError(NOBODY)
    if not len(found):
        return np.array([[0, 0, width, height]], np.float32), np.zeros(1, np.float32)
    largest = found[np.argsort(-areas(found.boxes), kind="stable")[:MAX_QUERIED]]
    return largest.boxes, largest.scores


def _in_frame(image: NDArray[np.uint8], pipeline: StillPictures) -> Detections:
    """Return the people of a picture with a frame around it.

    Who fills a picture from border to border is otherwise found in pieces: of 60 crops of tracks, the bundled detector
    found 10 as one person, and 59 with a frame.
    """
    height, width = image.shape[:2]
    edge = height // 2
    framed = cv2.copyMakeBorder(image, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=GREY)
    found = _sure(pipeline.detect_still(np.asarray(framed, np.uint8)))
    limits = np.array([width, height, width, height], np.float32)
    return Detections(np.clip(found.boxes - edge, 0, limits), found.scores)


def _sure(found: Detections) -> Detections:
    return found[found.scores >= MIN_SCORE]
