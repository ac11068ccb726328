"""A gallery that decides what the cameras of a generated site send, with all of its parts or without one."""

from collections.abc import Mapping
from dataclasses import replace

from deploy.bench.identities.film import Film, days_of
from deploy.bench.identities.judge import Judge
from gallery.config import GallerySettings
from gallery.decision.decide import decide
from gallery.decision.rules import Rules
from gallery.decision.site import Site
from gallery.index_faiss import index_for
from gallery.searcher import Searcher
from gallery.site_worker import plan_of

RULES = plan_of(GallerySettings()).rules
VARIANTS: Mapping[str, Rules] = {
    "this gallery": RULES,
    "without camera shifts": replace(RULES, normalise=False),
    "without the learnt scale": replace(RULES, parts=replace(RULES.parts, scale=False)),
    "without clustering again": replace(RULES, parts=replace(RULES.parts, clustering=False)),
    "without disjoint cameras": replace(RULES, parts=replace(RULES.parts, disjoint=False)),
    "without transit": replace(RULES, parts=replace(RULES.parts, transit=False)),
    "without ground": replace(RULES, parts=replace(RULES.parts, ground=False)),
    "without staying": replace(RULES, parts=replace(RULES.parts, staying=False)),
    "without exclusivity": replace(RULES, parts=replace(RULES.parts, exclusivity=False)),
}


def decided(film: Film, rules: Rules) -> Judge:
    """Return what became of the tracklets of a film."""
    site = Site("bench", 0, 0, 1)
    judge = Judge(film.people)
    searcher = Searcher(index_for)
    for window in film.windows:
        decision = decide(site, window.tracklets, window.end_ns, rules, searcher.nearest)
        site, write = decision.site, decision.write
        gone = [*write.merged, *(identity.number for identity in write.expired)]
        searcher.replace(dict.fromkeys(gone, ()) | dict(write.prototypes))
        judge.follow(write.events)
    return judge


def decided_anew(film: Film, rules: Rules) -> dict[str, int | None]:
    """Return the numbers of tracklets when a gallery begins each day with nobody known."""
    numbers: dict[str, int | None] = {}
    for day in days_of(film):
        given = max((number for number in numbers.values() if number is not None), default=0)
        numbers |= {key: n and n + given for key, n in decided(day, rules).numbers.items()}
    return numbers
