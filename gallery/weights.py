"""Which weights decide a site: choices of the operator carried out, and who is known under which. No I/O."""

import logging
from collections import Counter
from collections.abc import Iterator

from gallery.decision.choosing import forgotten, used
from gallery.decision.draft import Decision
from gallery.decision.rules import Rules
from gallery.decision.site import Site
from wire.messages import WeightsChoice

log = logging.getLogger(__name__)

EVERYBODY = ""


def carried_out(site: Site, choice: WeightsChoice, rules: Rules) -> Iterator[Decision]:
    """Yield the decisions that carry a choice out, one after the other; none if it is not a new one.

    A choice that makes no sense here has no effect, and the log says why: models that nobody is known under cannot
    decide, and the one that decides cannot be forgotten.
    """
    if choice.time_ns <= site.spaces.chosen_ns:
        return
    if choice.use:
        if not any(one.model_id == choice.use for owned in site.prototypes.values() for one in owned):
            log.error("site %s: nobody is known under %s, so it cannot decide", site.site_id, choice.use)
            return
        log.warning("site %s: from now on, %s decides", site.site_id, choice.use)
        yield used(site, choice.use, choice.time_ns, rules)
        return
    if choice.forget == site.spaces.active:
        log.error("site %s: %s decides, so it cannot be forgotten", site.site_id, choice.forget)
        return
    yield from forgotten(site, choice.forget, choice.time_ns, rules)
    log.warning("site %s: %s was forgotten", site.site_id, choice.forget)


def known_among(site: Site) -> dict[str, int]:
    """Return how many identities with recent tracklets each model knows; under `EVERYBODY`, how many there are."""
    recent = {row.identity_id for row in site.rows.values() if row.identity_id is not None}
    found = Counter({EVERYBODY: len(recent)})
    for number in recent:
        found.update({prototype.model_id for prototype in site.prototypes.get(number, ())})
    return dict(found)
