"""Which weights a site decides by while two are in use, and how a tracklet looks under each of them. Pure."""

import msgspec
from msgspec.structs import replace

from gallery.store.store import StoredTracklet
from wire.messages import Tracklet
from wire.tracklet import Look

MAX_FORGOTTEN = 32


class Spaces(msgspec.Struct, frozen=True):
    """What an operator chose about the weights of a site.

    Attributes:
        active: The `model_id` that decides; empty: that which the workers serve.
        forgotten: Models of which nothing is kept unless they are all that is known of somebody; the last ones.
        chosen_ns: When it was chosen; 0 if never.
    """

    active: str = ""
    forgotten: tuple[str, ...] = ()
    chosen_ns: int = 0

    def using(self, model_id: str, time_ns: int) -> "Spaces":
        """Return these after a model was chosen to decide."""
        return Spaces(model_id, tuple(one for one in self.forgotten if one != model_id), time_ns)

    def without(self, model_id: str, time_ns: int) -> "Spaces":
        """Return these after a model was chosen to be forgotten."""
        rest = [one for one in self.forgotten if one != model_id]
        return Spaces(self.active, (*rest, model_id)[-MAX_FORGOTTEN:], time_ns)


NOTHING_CHOSEN = Spaces()


def views(tracklet: Tracklet) -> tuple[Tracklet, ...]:
    """Return a tracklet under each of the weights that saw it, the deciding ones first."""
    look = tracklet.shadow
    if look is None:
        return (tracklet,)
    other = replace(tracklet, embedding=look.embedding, model_id=look.model_id, prior=look.prior, shadow=None)
    return tracklet, other


def settled(tracklet: Tracklet, spaces: Spaces) -> Tracklet:
    """Return a tracklet with the embedding that decides in front, and without what is to be forgotten."""
    look = tracklet.shadow
    if look is None:
        return tracklet
    if look.model_id == spaces.active:
        own = Look(embedding=tracklet.embedding, model_id=tracklet.model_id, prior=tracklet.prior)
        tracklet = replace(tracklet, embedding=look.embedding, model_id=look.model_id, prior=look.prior, shadow=own)
        look = own
    return replace(tracklet, shadow=None) if look.model_id in spaces.forgotten else tracklet


def settled_row(row: StoredTracklet, spaces: Spaces) -> StoredTracklet:
    """Return a stored row with its tracklet settled; the same object if nothing changes."""
    tracklet = settled(row.tracklet, spaces)
    return row if tracklet is row.tracklet else StoredTracklet(tracklet, row.identity_id, row.probability, row.event)


def seen_anew(row: StoredTracklet, arrived: Tracklet) -> Tracklet | None:
    """Return how a stored tracklet looks under weights under which it is not stored yet; None if nothing is new."""
    known = {view.model_id for view in views(row.tracklet)}
    return next((view for view in views(arrived) if len(known) == 1 and view.model_id not in known), None)
