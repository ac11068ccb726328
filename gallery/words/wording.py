"""Sentences about words, for people. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime

from gallery.store.said import StoredWord
from wire.messages import Word, WordKind


def told(said: StoredWord) -> str:
    """Return what a word says, when it was said and by whom: `3 and 5 were said to be different on … by …`."""
    word = said.word
    moment = datetime.fromtimestamp(word.time_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{_claim(said)} on {moment} by {word.author}"


def _claim(said: StoredWord) -> str:
    word = said.word
    numbers = listed(people_of(word))
    person, whom = f"person {word.identity_id}", "a person of their own" if word.to is None else f"person {word.to}"
    claims: dict[WordKind, str] = {
        "merge": f"{numbers} were said to be one person",
        "different": f"{numbers} were said to be different people",
        "split": f"{_tracks(said)} said not to be {person}",
        "move": f"{_tracks(said)} said to be {whom}",
        "confirm": f"{_tracks(said)} confirmed to be {whom}",
        "name": f"{person} was named",
        "tag": f"{person} was tagged",
        "hide": f"{person} was {'hidden' if word.hidden else 'shown again'}",
        "erase": f"{person} was erased",
        "undo": f"word {word.undoes} was undone",
    }
    return claims[word.kind]


def people_of(word: Word) -> list[int]:
    """Return the numbers that a word is about, each once: whoever merges 3 with 3 and 5 says that of two people."""
    return list(dict.fromkeys([word.identity_id, *word.others]))


def listed(numbers: Sequence[int]) -> str:
    """Return numbers as `3`, `3 and 5` or `3, 5 and 7`."""
    texts = [str(number) for number in numbers]
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def _tracks(said: StoredWord) -> str:
    count = len(said.chosen)
    return f"track {said.chosen[0]} was" if count == 1 else f"{count} tracks were"
