"""Who was erased from a site, and keeping them erased when an older backup is restored."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from gallery.backup.file import Reader
from gallery.decision.draft import Decision
from gallery.decision.rules import Rules
from gallery.decision.site import Site, site_of
from gallery.errors import BackupError
from gallery.hearing.facts import facts_of
from gallery.hearing.hearing import Refused
from gallery.hearing.obey import obey
from gallery.store import records
from gallery.store.placing import SitePlace
from gallery.store.said import MAX_WORDS, StoredWord, digests_of
from gallery.store.store import Store, StoredTracklet, Write
from wire.messages import Word


@dataclass(slots=True)
class Ledger:
    """Erasures of a site.

    Attributes:
        erased: As in `store.Write`.
        words: The words that erased, by `word_id`.
        name: Of the site in the digests.
        next_identity: The next number that nobody has had.
    """

    erased: dict[str, str] = field(default_factory=dict)
    words: dict[str, StoredWord] = field(default_factory=dict)
    name: str = ""
    next_identity: int = 1

    def add_words(self, words: Iterable[StoredWord]) -> None:
        """Add the erasures among words."""
        self.words |= {one.word.word_id: one for one in words if one.erasure is not None}


def ledger_of_store(store: Store, erased: dict[str, str], name: str) -> Ledger:
    """Return the ledger of a stored site; `erased` and `name` are its attributes."""
    ledger = Ledger(erased, {}, name, store.learnt().next_identity)
    ledger.add_words(entry.said for entry in store.words(0, MAX_WORDS))
    return ledger


def ledger_of_backup(reader: Reader) -> Ledger:
    """Return the ledger of a site in a backup."""
    keys: dict[str, dict[bytes, bytes]] = {"erased": {}, "words": {}, "meta": {}}
    for change in reader.changes():
        held = keys.get(change.key)
        if held is not None and change.kind == "hash":
            held |= dict(zip(change.parts[::2], change.parts[1::2], strict=True))
        elif held is not None and change.kind == "without":
            for name in change.parts[1:]:
                held.pop(name, None)
        elif held is not None and change.kind == "delete":
            held.clear()
    meta = keys["meta"]
    ledger = Ledger({digest.decode(): word_id.decode() for digest, word_id in keys["erased"].items()})
    ledger.name = meta.get(b"erased_as", b"").decode() or reader.head.site
    ledger.next_identity = int(meta.get(b"next_identity", 1))
    ledger.add_words(map(records.decode_word, keys["words"].values()))
    return ledger


def erase_again(place: SitePlace, ledger: Ledger, rules: Rules) -> int:
    """Erase from a staged site whom a ledger says was erased later, and return how many people that were.

    Numbers that were given away since stay taken. The words that erased are in the site's journal afterwards, so that
    they are not carried out again, on somebody else, if the gallery reads them again.

    Raises:
        BackupError: The ledger is that of a site with another name.
    """
    erased, name = place.erasures(staged=True)
    later = {digest: word_id for digest, word_id in ledger.erased.items() if digest not in erased}
    if later and ledger.name != name:
        raise BackupError(
            f"the backup holds erasures of site {name}, and those since are of site {ledger.name}: they cannot be"
            " joined; use backups of one site"
        )
    store = place.staged_store()
    people = 0
    if found := _by_word(place.staged_rows() if later else (), later, name):
        erasing = _Erasing(store, site_of(store.site_id, store.load(rules.horizon_ns)), rules)
        for word_id, keys in found.items():
            people += _erased(erasing, _word_of(ledger, word_id, store), keys)
    _keep(store, later, ledger)
    return people


def _by_word(rows: Iterable[StoredTracklet], later: Mapping[str, str], name: str) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        word_id = next((later[digest] for digest in digests_of(name, row.tracklet) if digest in later), None)
        if word_id is not None:
            found[word_id].append(row.tracklet.tracklet_id)
    return found


def _erased(erasing: "_Erasing", word: Word, keys: Sequence[str]) -> int:
    try:
        return erasing.erase(word, keys)
    except Refused as error:
        raise BackupError(
            f"{keys[0]} shows somebody who was erased later, and cannot be taken out of the people of the backup"
            f" ({error}): restore a backup from after the erasure"
        ) from None


def _word_of(ledger: Ledger, word_id: str, store: Store) -> Word:
    """Return the word of an erasure; an equivalent one if the journal has dropped it."""
    if word_id in ledger.words:
        return ledger.words[word_id].word
    return Word(
        word_id=word_id,
        kind="erase",
        site_id=store.site_id,
        author="an earlier erasure",
        time_ns=store.learnt().now_ns,
    )


def _keep(store: Store, later: Mapping[str, str], ledger: Ledger) -> None:
    """Keep all digests, the words about people who are not in the site, and the numbers they had."""
    learnt = store.learnt()
    unheard = [said for key, said in ledger.words.items() if store.word(key) is None]
    number = max(learnt.next_identity, ledger.next_identity)
    store.write(Write(learnt.version, learnt.now_ns, number, learnt.calibration, erased=later, words=unheard))


class _Erasing:
    """A site while people are erased from it."""

    def __init__(self, store: Store, site: Site, rules: Rules) -> None:
        self._store = store
        self._site = site
        self._rules = rules
        self._said = 0

    def erase(self, word: Word, keys: Sequence[str]) -> int:
        """Erase the people who have some tracklets, and return how many; others among whom they are keep the rest."""
        try:
            alone = self._alone(word, keys)
        except Refused:  # people had said that these tracklets and others are one person: later, somebody undid that
            self._undo(word, frozenset(keys))
            alone = self._alone(word, keys)
        for number in alone:
            word_id = word.word_id if self._store.word(word.word_id) is None else self._next_id(word)
            self._say(replace(word, word_id=word_id, identity_id=number))
        return len(alone)

    def _alone(self, word: Word, keys: Sequence[str]) -> list[int]:
        """Return the identities that have these tracklets and no others, once they have been split off."""
        owned: dict[int | None, list[str]] = defaultdict(list)
        for row in self._store.tracklets(keys):
            owned[row.identity_id].append(row.tracklet.tracklet_id)
        return [one for number, some in owned.items() for one in self._parted(word, number, some)]

    def _parted(self, word: Word, number: int | None, keys: list[str]) -> list[int]:
        if number is None:  # undecided: each becomes somebody first
            words = (replace(word, word_id=self._next_id(word), kind="move", tracklets=(key,)) for key in keys)
            return [self._say(one) for one in words]
        identity = self._store.identity(number)
        if identity is None or identity.tracklets <= len(keys):
            return [number]
        split = replace(word, word_id=self._next_id(word), kind="split", identity_id=number, tracklets=tuple(keys))
        return [self._say(split)]

    def _undo(self, word: Word, keys: frozenset[str]) -> None:
        """Undo what people said about tracklets, the last word first."""
        for entry in reversed(self._store.words(0, MAX_WORDS)):
            if entry.said.holds and not keys.isdisjoint(entry.said.mentioned()):
                undo = replace(word, word_id=self._next_id(word), kind="undo", undoes=entry.said.word.word_id)
                self._say(replace(undo, identity_id=0))

    def _say(self, word: Word) -> int:
        """Have a word carried out, and return the identity that it resulted in.

        Raises:
            Refused: It cannot be.
        """
        decision = obey(self._site, word, facts_of(self._store, word), self._rules)
        said = next(one for one in decision.write.words if one.word.word_id == word.word_id)
        if said.refused:
            raise Refused(said.refused)
        self._write(decision)
        return said.identity_id

    def _write(self, decision: Decision) -> None:
        self._store.write(decision.write)
        self._site = decision.site

    def _next_id(self, word: Word) -> str:
        self._said += 1
        return f"{word.word_id}-restored-{self._said}"
