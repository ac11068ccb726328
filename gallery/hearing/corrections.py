"""Names, merges, splits, moves and confirmations: what people say about who is who. No I/O."""

from collections.abc import Callable, Mapping

from gallery.hearing.hearing import Hearing, Refused, legs_among, without
from gallery.store.store import Identity, StoredTracklet
from gallery.words.wording import listed, people_of, told
from wire.messages import WordKind


def name(hearing: Hearing) -> None:
    """Name a person, or take the name away."""
    word = hearing.word
    _describe(hearing, "named" if word.name else "no longer named", name=word.name)


def tag(hearing: Hearing) -> None:
    """Give a person tags, in place of those they had."""
    word = hearing.word
    _describe(hearing, "tagged" if word.tags else "no longer tagged", tags=word.tags)


def hide(hearing: Hearing) -> None:
    """Hide a person, or show them again."""
    word = hearing.word
    _describe(hearing, "hidden" if word.hidden else "shown again", hidden=word.hidden)


def _describe(
    hearing: Hearing,
    reason: str,
    *,
    name: str | None = None,
    tags: tuple[str, ...] | None = None,
    hidden: bool | None = None,
) -> None:
    """Change what is said of a person, and report why; None changes nothing."""
    identity = hearing.person(hearing.word.identity_id)
    hearing.remember(identity)
    hearing.say(identity.number, sides=[hearing.rows(identity.number)])
    hearing.draft.describe(identity.number, name=name, tags=tags, hidden=hidden)
    hearing.report("updated", identity.number, reason)


def merge(hearing: Hearing) -> None:
    """Make several identities one, under the first number; it keeps its name, or gets that of another one."""
    word, draft = hearing.word, hearing.draft
    survivor = hearing.person(word.identity_id)
    gone = [one for one in map(hearing.person, dict.fromkeys(word.others)) if one.number != survivor.number]
    gone = list({one.number: one for one in gone}.values())
    if not gone:
        about = people_of(word)
        raise Refused(
            f"{listed(about)} are one person already"
            if len(about) > 1
            else f"{listed(about)} cannot be merged with themselves: name somebody else"
        )
    picture = _picture_of(hearing, survivor)
    hearing.remember(survivor)
    for one in gone:
        hearing.remember(one, hearing.rows(one.number))
    hearing.say(survivor.number, sides=[hearing.rows(one.number) for one in (survivor, *gone)])
    for one in gone:
        draft.merge(one.number, survivor.number)
    named = next((one.name for one in (survivor, *gone) if one.name), "")
    draft.describe(survivor.number, name=named, hidden=survivor.hidden, picture=picture)
    numbers = [one.number for one in gone]
    hearing.report("merged", survivor.number, f"{listed([survivor.number, *numbers])} are one person", numbers)


def _picture_of(hearing: Hearing, survivor: Identity) -> str:
    """Return the tracklet whose crop is kept as the picture of merged identities."""
    chosen = hearing.word.picture_of
    if not chosen:
        return survivor.picture
    identity = hearing.person(chosen)
    best = max(hearing.rows(identity.number), key=lambda row: row.tracklet.quality, default=None)
    return identity.picture or ("" if best is None else best.tracklet.tracklet_id)


def different(hearing: Hearing) -> None:
    """Keep two identities apart for good."""
    word = hearing.word
    one, other = hearing.person(word.identity_id), hearing.person(word.others[0])
    if one.number == other.number:
        named = people_of(word)
        raise Refused(
            f"{listed(named)} are one person: {_remedy(hearing, one)}"
            if len(named) > 1
            else f"{listed(named)} cannot be different from themselves: name somebody else"
        )
    hearing.say(one.number, sides=[hearing.rows(one.number), hearing.rows(other.number)])
    hearing.report("updated", one.number, f"{one.number} and {other.number} are different people")


def _remedy(hearing: Hearing, one: Identity) -> str:
    """Return what to do about two numbers that are one person: undo the word that made them so, or split."""
    words = reversed(hearing.site.holdings.said.words)
    merged = next((said for said in words if said.word.kind == "merge" and said.identity_id == one.number), None)
    return f"{told(merged)}: undo that first" if merged else "split off the sightings of the other one"


def split(hearing: Hearing) -> None:
    """Make some tracklets of an identity a person of their own."""
    identity = hearing.person(hearing.word.identity_id)
    own = hearing.rows(identity.number)
    known = {row.tracklet.tracklet_id for row in own}
    for key in hearing.word.tracklets:
        if key not in known:
            raise Refused(f"track {key} is not one of person {identity.number}")
    _part(hearing, identity, legs_among(own, hearing.word.tracklets))


def _part(hearing: Hearing, identity: Identity, chosen: list[StoredTracklet]) -> None:
    rest = without(hearing.rows(identity.number), chosen)
    if not rest:
        raise Refused(f"nothing would be left of person {identity.number}: name another one, or choose fewer tracks")
    number = hearing.draft.create()
    hearing.say(number, chosen=chosen, sides=[rest])
    hearing.remember(identity, chosen)
    hearing.move(chosen, number)
    hearing.report("split", number, f"not person {identity.number}", [identity.number])


def move(hearing: Hearing) -> None:
    """Move a tracklet, with all parts of its leg, to another identity or to a new one."""
    word = hearing.word
    row = next((one for one in hearing.facts.chosen if one.tracklet.tracklet_id == word.tracklets[0]), None)
    if row is None:
        raise Refused(f"there is no track {word.tracklets[0]}")
    source = None if row.identity_id is None else hearing.person(row.identity_id)
    target = None if word.to is None else hearing.person(word.to)
    if source is not None and target is not None and source.number == target.number:
        raise Refused(f"track {word.tracklets[0]} is one of person {target.number} already")
    chosen = [row] if source is None else legs_among(hearing.rows(source.number), word.tracklets)
    if target is None:
        _move_away(hearing, source, chosen)
        return
    rest = [] if source is None else without(hearing.rows(source.number), chosen)
    hearing.say(target.number, chosen=chosen, sides=[rest, hearing.rows(target.number)])
    if source is not None:
        hearing.remember(source, chosen)
    if source is not None and not rest:
        hearing.draft.merge(source.number, target.number)
        hearing.report("merged", target.number, f"{source.number} is person {target.number}", [source.number])
        return
    hearing.move(chosen, target.number)
    previous = [] if source is None else [source.number]
    hearing.report("matched" if source is None else "split", target.number, "moved here", previous)


def _move_away(hearing: Hearing, source: Identity | None, chosen: list[StoredTracklet]) -> None:
    if source is not None:
        _part(hearing, source, chosen)
        return
    number = hearing.draft.create()
    hearing.say(number, chosen=chosen, sides=[()])
    hearing.move(chosen, number)
    hearing.report("created", number, "a person of their own")


def confirm(hearing: Hearing) -> None:
    """Keep a tracklet, with all parts of its leg, in the identity it is in."""
    word = hearing.word
    name = word.tracklets[0]
    row = next((one for one in hearing.facts.chosen if one.tracklet.tracklet_id == name), None)
    if row is None:
        raise Refused(f"there is no track {name}")
    if row.identity_id is None:
        raise Refused(f"track {name} has no number yet: wait for it, or say whom it shows")
    person, meant = hearing.person(row.identity_id), hearing.person(word.to or 0)
    if person.number != meant.number:
        raise Refused(f"track {name} is one of person {person.number} by now, not of {meant.number}: look again")
    chosen = legs_among(hearing.rows(person.number), word.tracklets)
    rest = without(hearing.rows(person.number), chosen)
    if not rest:
        raise Refused(f"track {name} is all that is known of person {person.number}: there is nothing to confirm")
    hearing.say(person.number, chosen=chosen, sides=[(), rest])
    hearing.report("updated", person.number, "a track is confirmed")


CORRECTIONS: Mapping[WordKind, Callable[[Hearing], None]] = {
    "name": name,
    "tag": tag,
    "hide": hide,
    "merge": merge,
    "different": different,
    "split": split,
    "move": move,
    "confirm": confirm,
}
