"""A word while it is carried out: a draft of the site, and what is stored about the word. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as changed

from msgspec.structs import replace as changed_message

from gallery.decision.corrected import CorrectedDraft
from gallery.decision.draft import Decision
from gallery.decision.rules import Rules
from gallery.decision.site import Site
from gallery.hearing.facts import Facts
from gallery.store.said import MAX_SIDE, Erasure, Former, StoredWord, leg_of
from gallery.store.store import Identity, StoredTracklet
from gallery.words.said import Said, contradicted, said_of
from gallery.words.wording import told
from wire.messages import EventKind, IdentityEvent, Word

PEOPLE_NEED = "there is no person"


class Refused(Exception):  # noqa: N818 - it reads as the state it reports
    """Raised when a word cannot be carried out; the message says why, and what to do."""


@dataclass(slots=True)
class Hearing:
    """A word that is carried out on a draft of the site.

    Attributes:
        said: What is stored about it.
        replaced: Earlier words in a new form.
        former: What undoing it needs.
        erased: Digests of tracklets that are never decided again.
        lifted: Digests of those that are.
        forgotten: Events to delete.
        unformed: Earlier words that can no longer be undone.
    """

    site: Site
    word: Word
    facts: Facts
    draft: CorrectedDraft
    said: StoredWord
    replaced: list[StoredWord] = field(default_factory=list)
    former: list[Former] = field(default_factory=list)
    erased: Mapping[str, str] = field(default_factory=dict)
    lifted: Sequence[str] = ()
    forgotten: Sequence[int] = ()
    unformed: Sequence[str] = ()

    def person(self, number: int) -> Identity:
        """Return an identity of the word as it is called now.

        Raises:
            Refused: There is none.
        """
        found = self.facts.people.get(number)
        if found is None or found.number not in self.draft.identities:
            raise Refused(f"{PEOPLE_NEED} {number}")
        return self.draft.identities[found.number]

    def rows(self, number: int) -> Sequence[StoredTracklet]:
        """Return the stored tracklets of an identity, newest first."""
        return self.facts.rows.get(number, ())

    def say(
        self,
        number: int,
        *,
        chosen: Iterable[StoredTracklet] = (),
        sides: Iterable[Iterable[StoredTracklet]] = (),
        erasure: Erasure | None = None,
    ) -> None:
        """Set what is stored about the word.

        Raises:
            Refused: It contradicts an earlier one.
        """
        self.said = StoredWord(
            self.word,
            number,
            tuple(row.tracklet.tracklet_id for row in chosen),
            tuple(_latest(side) for side in sides),
            erasure=erasure,
        )
        earlier = contradicted(self.draft.holdings.said.words, self.said)
        if earlier is not None:
            raise Refused(f"{told(earlier)}: undo that first")

    def remember(self, identity: Identity, rows: Iterable[StoredTracklet] = ()) -> None:
        """Keep an identity as it was, and the tracklets that the word moves away from it."""
        keys = tuple(row.tracklet.tracklet_id for row in rows)
        self.former.append(
            Former(
                identity.number,
                identity.name,
                identity.hidden,
                identity.picture,
                identity.previous_ids,
                keys,
                identity.tags,
            )
        )

    def move(self, rows: Sequence[StoredTracklet], number: int) -> None:
        """Move tracklets to an identity, which may be new; none of the others may be left without tracklets."""
        sources = {row.identity_id for row in rows} - {None}
        for row in rows:
            self.draft.transfer(row, number)
        moved = {row.tracklet.tracklet_id for row in rows}
        for source in sources:
            if source is not None:
                self.draft.set_span(source, [r.tracklet for r in self.rows(source) if _key(r) not in moved])
        self.draft.set_span(number, [row.tracklet for row in (*self.rows(number), *rows)])

    def report(self, kind: EventKind, number: int, reason: str, previous: Sequence[int] = ()) -> None:
        """Add an event about an identity."""
        latest = max(self.draft.members(number), key=lambda t: t.last_ns, default=None)
        event = word_event(self.site.site_id, self.word, kind, number, reason, previous)
        if latest is not None and kind != "erased":
            event = changed_message(event, tracklet_id=latest.tracklet_id, camera_id=latest.camera_id)
        self.draft.events.append(event)

    def finish(self, rules: Rules) -> Decision:
        """Return the decision that carries the word out; nobody expires by it."""
        decision = self.draft.finish(changed(rules, retention_ns=self.draft.now_ns + 1, max_identities=0))
        words = [*self.replaced, self.said]
        new = {said.word.word_id: said for said in words}
        known = [new.pop(said.word.word_id, said) for said in self.site.holdings.said.words]
        holdings = decision.site.holdings.saying(said_of([*known, *new.values()]), self._owners(decision.site))
        erased = decision.site.erased.copy()
        erased.update(self.erased)
        for digest in self.lifted:
            erased.pop(digest, None)
        write = changed(
            decision.write,
            words=words,
            formers={self.word.word_id: self.former} | dict.fromkeys(self.unformed, ()),
            erased=self.erased,
            lifted=self.lifted,
            forgotten=self.forgotten,
        )
        return Decision(changed(decision.site, holdings=holdings, erased=erased), write)

    def _owners(self, site: Site) -> dict[str, int]:
        """Return the identities of the tracklets that the word mentions, as they are after it."""
        before = {_key(row): row.identity_id for rows in self.facts.rows.values() for row in rows}
        after = {key: self.draft.moved_to(key, before.get(key)) for key in self.said.mentioned()}
        return {key: number for key, number in after.items() if number is not None and number in site.identities}


def word_event(
    site_id: str, word: Word, kind: EventKind, number: int, reason: str, previous: Sequence[int]
) -> IdentityEvent:
    """Return the event about an identity by which a word is told, without a tracklet."""
    return IdentityEvent(
        event_id=f"{site_id}/word/{word.word_id}/{kind}/{number}",
        kind=kind,
        site_id=site_id,
        identity_id=number,
        previous_ids=tuple(previous),
        tracklet_id="",
        camera_id="",
        probability=1.0,
        reason=f"{word.author} said so: {reason}",
        time_ns=word.time_ns,
    )


def hearing_of(site: Site, word: Word, facts: Facts) -> Hearing:
    """Return a word that nothing was done about yet."""
    draft = CorrectedDraft(site, site.now_ns)
    draft.remember(facts.faded)
    return Hearing(site, word, facts, draft, StoredWord(word))


def legs_among(rows: Sequence[StoredTracklet], chosen: Iterable[str]) -> list[StoredTracklet]:
    """Return the rows of the legs of some tracklets: parts of a leg stay one person."""
    legs = set(map(leg_of, chosen))
    return [row for row in rows if leg_of(_key(row)) in legs]


def without(rows: Sequence[StoredTracklet], others: Sequence[StoredTracklet]) -> list[StoredTracklet]:
    """Return the rows that are not among others."""
    keys = set(map(_key, others))
    return [row for row in rows if _key(row) not in keys]


def constraints_without(site: Site, word_id: str) -> Said:
    """Return what people said but for one word."""
    return said_of(said for said in site.holdings.said.words if said.word.word_id != word_id)


def _latest(rows: Iterable[StoredTracklet]) -> tuple[str, ...]:
    newest = sorted(rows, key=lambda row: (row.tracklet.last_ns, _key(row)), reverse=True)
    return tuple(map(_key, newest[:MAX_SIDE]))


def _key(row: StoredTracklet) -> str:
    return row.tracklet.tracklet_id
