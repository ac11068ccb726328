"""Messages of searches: who looks like somebody in a picture, or like a tracklet; part of `wire.messages`.

    api --PictureQuery--> worker --LookalikeQuery--> gallery --QueryAnswer--> api

The worker finds and embeds the people, the gallery compares them with everybody it knows. Nothing durable depends on
any of it: who asks waits, and asks again if no answer comes.
"""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from wire.message import Count, Message, Signed, check_name

MAX_PICTURE_BYTES = 6 * 1024 * 1024  # a record holds 8 MiB
MAX_QUERIED = 16  # people of one picture that are searched for
MAX_LOOKALIKES = 50
PATIENCE_NS = 30_000_000_000  # nobody waits for the answer to an older query


class PictureQuery(Message, frozen=True, kw_only=True, eq=False, tag="picture-query"):
    """A picture in which people are to be found, embedded and compared.

    Attributes:
        query_id: Unique; the answer bears it.
        asker: Key of the answer, by which who asked finds it.
        time_ns: When it was asked.
        picture: JPEG, PNG or WebP.
        limit: How many people are returned for each person of the picture.
    """

    query_id: str
    asker: str
    site_id: str
    time_ns: Signed
    picture: bytes
    limit: Count = 10

    def __post_init__(self) -> None:
        check_name("site_id", self.site_id)
        if len(self.picture) > MAX_PICTURE_BYTES:
            raise ValueError(f"a picture must have at most {MAX_PICTURE_BYTES} bytes, got {len(self.picture)}")


class LookalikeQuery(Message, frozen=True, kw_only=True, eq=False, tag="lookalike-query"):
    """Embeddings for which the most similar people of a site are wanted; it travels with the site's tracklets.

    Attributes:
        query_id, asker, time_ns, limit: As in `PictureQuery`.
        model_id: Of the embeddings.
        camera_id: The camera that took them; empty for a picture from elsewhere.
        embeddings: `(n, d)` float16, each L2-normalised.
        boxes: `(n, 4)` float32, xyxy px of the upright picture.
        scores: `(n,)` float32 detector confidence in [0, 1].
        width, height: Size of the upright picture in pixels; 0 for embeddings of tracklets.
    """

    query_id: str
    asker: str
    site_id: str
    time_ns: Signed
    model_id: str
    embeddings: NDArray[np.float16]
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    camera_id: str = ""
    width: Count = 0
    height: Count = 0
    limit: Count = 10

    def __post_init__(self) -> None:
        check_name("site_id", self.site_id)
        n = len(self.embeddings)
        if self.embeddings.ndim != 2 or self.boxes.shape != (n, 4) or self.scores.shape != (n,):
            raise ValueError(f"query {self.query_id}: embeddings must be (n, d), boxes (n, 4) and scores (n,)")
        norms = np.linalg.norm(self.embeddings.astype(np.float32), axis=1)
        if n and not (norms.min() >= 0.98 and norms.max() <= 1.02):
            raise ValueError(f"query {self.query_id}: embeddings must be L2-normalised")


class Lookalike(Struct, frozen=True, array_like=True):
    """A person of the site who looks like the one searched for.

    Attributes:
        number: Of the identity.
        similarity: Cosine similarity to the most similar prototypes.
        probability: That it is the same person, with everybody else known as alternatives.
        strangers: How many of the people known would be expected to look as alike if the person were a stranger.
    """

    number: int
    similarity: float
    probability: float
    strangers: float


class QueryAnswer(Message, frozen=True, kw_only=True, eq=False, tag="query-answer"):
    """The people found in a query, and who each of them looks like.

    Attributes:
        boxes, scores, width, height: As in `LookalikeQuery`.
        lookalikes: For each of the n people, the most similar first.
        known: How many people were compared.
        problem: Why there is no answer, and what to do; empty if there is one.
    """

    query_id: str
    asker: str
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    width: Count = 0
    height: Count = 0
    lookalikes: tuple[tuple[Lookalike, ...], ...] = ()
    known: Count = 0
    problem: str = ""


def is_awaited(stored_ns: int, now_ns: int) -> bool:
    """Tell whether somebody still waits for the answer to a query that was stored on the bus then, by its clock."""
    return stored_ns >= now_ns - PATIENCE_NS


def refusal(query_id: str, asker: str, problem: str) -> QueryAnswer:
    """Return the answer to a query that has none."""
    nothing = np.empty((0, 4), np.float32)
    return QueryAnswer(query_id=query_id, asker=asker, boxes=nothing, scores=nothing[:, 0], problem=problem)
