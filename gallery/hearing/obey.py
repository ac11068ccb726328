"""Carry out what a person said, on one site. Pure: a site, a word and what is stored about it in, a decision out."""

from dataclasses import replace as changed

from gallery.decision.draft import Decision
from gallery.decision.rules import Rules
from gallery.decision.site import Site
from gallery.hearing.corrections import CORRECTIONS
from gallery.hearing.erase import erase
from gallery.hearing.facts import Facts
from gallery.hearing.hearing import Refused, hearing_of
from gallery.hearing.undo import undo
from gallery.store.said import StoredWord
from wire.messages import Word
from wire.tracklet_id import TrackletId

KINDS = {**CORRECTIONS, "erase": erase, "undo": undo}


def obey(site: Site, word: Word, facts: Facts, rules: Rules) -> Decision:
    """Return the decision that carries a word out, or that only journals it with the reason why it was refused."""
    hearing = hearing_of(site, word, facts)
    try:
        _check(word)
        KINDS[word.kind](hearing)
    except Refused as refusal:
        hearing = hearing_of(site, word, facts)
        hearing.said = changed(StoredWord(word), refused=str(refusal))
    return hearing.finish(rules)


def _check(word: Word) -> None:
    """Raise Refused if a word lacks what its kind needs, or names a tracklet that there cannot be."""
    if word.kind in {"split", "move", "confirm"} and not word.tracklets:
        raise Refused(f"{word.kind}: name a track")
    if word.kind in {"merge", "different"} and not word.others:
        raise Refused(f"{word.kind}: name another person")
    for key in word.tracklets:
        try:
            TrackletId.parse(key)
        except ValueError as error:
            raise Refused(str(error)) from None
