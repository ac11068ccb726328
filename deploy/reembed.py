"""Embed the pictures that are kept of people by weights that do not know them yet."""

from collections.abc import Iterator, Sequence

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from gallery.decision.spaces import views
from gallery.store.store import Store, StoredTracklet, TrackQuery
from reid_worker.crops import from_jpeg, is_blurred
from reid_worker.networks import TrackletEmbedder
from wire.messages import Tracklet
from wire.tracklet import Look

EACH = 8  # latest tracklets of a person whose pictures are embedded


def without_look(store: Store, model_id: str) -> Iterator[list[StoredTracklet]]:
    """Yield, of each person whom a model does not know, the latest tracklets that have one embedding only."""
    snapshot = store.load(0)
    for identity in sorted(snapshot.identities, key=lambda one: -one.last_ns):
        if any(one.model_id == model_id for one in snapshot.prototypes.get(identity.number, ())):
            continue
        rows = store.find(TrackQuery(identity_id=identity.number, limit=EACH))
        yield [row for row in rows if row.tracklet.shadow is None]


def looked_again(store: Store, network: TrackletEmbedder, rows: Sequence[StoredTracklet]) -> list[Tracklet]:
    """Return the tracklets of some rows with what a network makes of the one picture that is kept of each.

    Tracklets without a picture, or with one that shows nobody recognisable, are left out.
    """
    pictures = [(row.tracklet, _picture(store, row)) for row in rows]
    usable = [(one, picture) for one, picture in pictures if picture is not None]
    embedded = network.embed([[picture] for _, picture in usable]).astype(np.float16)
    return [
        replace(one, shadow=Look(embedding=vector, model_id=network.model_id, prior=network.prior))
        for (one, _), vector in zip(usable, embedded, strict=True)
        if network.model_id not in {view.model_id for view in views(one)}
    ]


def _picture(store: Store, row: StoredTracklet) -> NDArray[np.uint8] | None:
    data = store.crop(row.tracklet.tracklet_id)
    picture = from_jpeg(data) if data else None
    return None if picture is None or is_blurred(picture) else picture
