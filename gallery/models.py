"""The models whose embeddings a site has seen, and how long their embeddings are."""

import logging
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from gallery.store.store import Prototype
from wire.messages import Tracklet
from wire.service import Received, Rejected

log = logging.getLogger(__name__)


class KnownModels:
    """Tells embeddings that can be compared with those of a site from others."""

    def __init__(self, site_id: str) -> None:
        self._site_id = site_id
        self._lengths: dict[str, int] = {}
        self._misfits: set[tuple[str, int]] = set()

    def learn(self, prototypes: Iterable[Prototype]) -> None:
        """Add the models of the prototypes that a store has kept."""
        for prototype in prototypes:
            self._lengths.setdefault(prototype.model_id, len(prototype.vector))

    def comparable(self, batch: Sequence[Received]) -> tuple[list[Received], list[Rejected]]:
        """Return a batch without the tracklets whose embedding has another length than others of its model, and these.

        Embeddings of a new model are comparable among themselves only, which nothing else shows: warns of it once. A
        second embedding that does not fit is left out: nothing may depend on it.
        """
        kept: list[Received] = []
        rejected: list[Rejected] = []
        for received in batch:
            message = received.message
            if not isinstance(message, Tracklet) or self._fits(message):
                kept.append(self._with_fitting_shadow(received))
            else:
                rejected.append(Rejected(received.record, self._reason(message)))
        return kept, rejected

    def forget(self, model_id: str) -> None:
        """Forget a model."""
        self._lengths.pop(model_id, None)

    def _with_fitting_shadow(self, received: Received) -> Received:
        message = received.message
        if not isinstance(message, Tracklet) or message.shadow is None:
            return received
        look = message.shadow
        known = self._lengths.get(look.model_id)
        if known is None:
            log.info(
                "site %s: tracklets come with embeddings of %s as well; they decide nothing until `climbtrack gallery"
                " weights use`",
                self._site_id,
                look.model_id,
            )
            known = self._lengths[look.model_id] = len(look.embedding)
        if known == len(look.embedding):
            return received
        if (look.model_id, len(look.embedding)) not in self._misfits:
            self._misfits.add((look.model_id, len(look.embedding)))
            log.error(
                "site %s: second embeddings of model %s have %d numbers, but others of it have %d; they are left out."
                " Serve the same worker.shadow_weights on all workers",
                self._site_id,
                look.model_id,
                len(look.embedding),
                known,
            )
        return Received(received.record, replace(message, shadow=None))

    def _fits(self, tracklet: Tracklet) -> bool:
        known = self._lengths.get(tracklet.model_id)
        if known is None:
            self._warn_of(tracklet.model_id)
            known = self._lengths[tracklet.model_id] = len(tracklet.embedding)
        return known == len(tracklet.embedding)

    def _reason(self, tracklet: Tracklet) -> str:
        return (
            f"tracklet {tracklet.tracklet_id}: its embedding has {len(tracklet.embedding)} numbers, but those of model"
            f" {tracklet.model_id} have {self._lengths[tracklet.model_id]} at site {self._site_id}: serve the same"
            " weights on all workers"
        )

    def _warn_of(self, model_id: str) -> None:
        if self._lengths:
            log.warning(
                "site %s: embeddings of model %s arrive, but the known identities have those of %s. Embeddings of"
                " different models are never compared: people known only under another model get a new identity",
                self._site_id,
                model_id,
                ", ".join(sorted(self._lengths)),
            )
