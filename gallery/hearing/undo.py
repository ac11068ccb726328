"""Undo a word: its constraints are lifted, and what it moved goes back where that is still possible. No I/O."""

from collections.abc import Sequence
from dataclasses import replace as changed

from gallery.decision.holdings import Holdings
from gallery.hearing.hearing import Hearing, Refused, constraints_without
from gallery.store.said import Former, StoredWord, leg_of
from gallery.store.store import StoredTracklet
from gallery.words.said import unmet
from gallery.words.wording import told

UNDONE = "a word was undone"


def undo(hearing: Hearing) -> None:
    """Undo a word."""
    undone = _undone(hearing)
    hearing.said = StoredWord(hearing.word, undone.identity_id)
    hearing.replaced = [changed(undone, undone_by=hearing.word.word_id)]
    match undone.word.kind:
        case "name" | "tag" | "hide":
            _describe_again(hearing, undone)
        case "erase":
            hearing.lifted = sorted(d for d, by in hearing.site.erased.items() if by == undone.word.word_id)
        case "merge" | "split" | "move":
            _move_back(hearing, undone)
        case _:
            _report(hearing, undone.identity_id)
    later = unmet(constraints_without(hearing.site, undone.word.word_id), hearing.draft.holdings.holder)
    if later is not None:
        raise Refused(_after(later))


def _undone(hearing: Hearing) -> StoredWord:
    found = hearing.facts.undone
    if found is None:
        raise Refused(f"there is no word {hearing.word.undoes}")
    if found.refused:
        raise Refused(f"word {hearing.word.undoes} was refused, so there is nothing to undo: {found.refused}")
    if found.undone_by:
        raise Refused(f"word {hearing.word.undoes} was undone already")
    if found.word.kind == "undo":
        raise Refused("an undo cannot be undone: say again what was undone")
    return found


def _describe_again(hearing: Hearing, undone: StoredWord) -> None:
    for former in hearing.facts.former:
        identity = hearing.facts.people.get(former.number)
        if identity is None or identity.number not in hearing.draft.identities:
            continue
        if undone.word.kind == "name" and identity.name == undone.word.name:
            hearing.draft.describe(identity.number, name=former.name)
        if undone.word.kind == "tag" and identity.tags == undone.word.tags:
            hearing.draft.describe(identity.number, tags=former.tags)
        if undone.word.kind == "hide" and identity.hidden == undone.word.hidden:
            hearing.draft.describe(identity.number, hidden=former.hidden)
        _report(hearing, identity.number)


def _report(hearing: Hearing, number: int) -> None:
    identity = hearing.facts.people.get(number)
    if identity is not None and identity.number in hearing.draft.identities:
        hearing.report("updated", identity.number, UNDONE)


def _move_back(hearing: Hearing, undone: StoredWord) -> None:
    """Give back what the word moved and is still where the word put it."""
    if not hearing.facts.former and undone.word.kind != "move":
        raise Refused(f"{told(undone)}, but what it changed is no longer known: split or merge instead")
    put = hearing.facts.people.get(undone.identity_id)
    if put is None:
        return
    rest = hearing.draft.holdings.saying(constraints_without(hearing.site, undone.word.word_id), {})
    for former in hearing.facts.former:
        number = _present(hearing, former, put.number)
        back = set(former.tracklets)
        rows = [
            row for row in hearing.facts.chosen if row.tracklet.tracklet_id in back and row.identity_id == put.number
        ]
        for row in rows:
            _check_free(rest, row, back, number)
        if rows:
            _give_back(hearing, former, put.number, number, rows)
    own = next((one for one in hearing.facts.former if undone.word.kind == "merge" and not one.tracklets), None)
    if own is not None and own.number in hearing.draft.identities:
        hearing.draft.describe(own.number, name=own.name, hidden=own.hidden, picture=own.picture, tags=own.tags)


def _present(hearing: Hearing, former: Former, put: int) -> int:
    """Return the present number of an identity as it was; its own if it is gone, or was merged by the word."""
    known = hearing.facts.people.get(former.number)
    return former.number if known is None or known.number == put else known.number


def _check_free(rest: Holdings, row: StoredTracklet, back: set[str], number: int) -> None:
    """Raise Refused if a later word keeps a tracklet from going back to an identity."""
    key = row.tracklet.tracklet_id
    leg = leg_of(key)
    others = rest.said.same(leg) - set(map(leg_of, back))
    if number not in rest.forbidden(key) and all(rest.holder(other) in {None, number} for other in others):
        return
    later = (said for said in reversed(rest.said.words) if leg in set(map(leg_of, said.mentioned())))
    raise Refused(_after(next(later)))


def _after(later: StoredWord) -> str:
    return f"{told(later)}, after this: undo that first"


def _give_back(hearing: Hearing, former: Former, put: int, number: int, rows: Sequence[StoredTracklet]) -> None:
    draft = hearing.draft
    everything = len(rows) >= draft.identities[put].tracklets
    if everything and number in draft.identities:
        draft.merge(put, number)
        hearing.report("merged", number, UNDONE, [put])
        return
    if everything:  # nothing else is left of the identity that it was put into: it keeps its number
        return
    is_back = number not in draft.identities
    hearing.move(rows, number)
    if is_back:
        draft.separate(put, number, former.previous_ids)
        draft.describe(number, name=former.name, hidden=former.hidden, picture=former.picture, tags=former.tags)
    hearing.report("split", number, UNDONE, [put])
