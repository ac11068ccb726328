"""Where people were, as `climbtrack run` and a store tell it, and how two such answers differ. Pure but for reading."""

from collections import Counter, defaultdict
from pathlib import Path

Row = tuple[str, int, str]  # camera, frame, box
People = dict[str, list[Row]]


def people_of(folder: Path, suffix: str = "") -> People:
    """Return where each person was; `suffix` is what the names of the cameras end with and is left out."""
    people: People = defaultdict(list)
    for path in sorted(folder.glob("*.txt")):
        for line in path.read_text().splitlines():
            frame, identity, *rest = line.split(",")
            people[identity].append((path.stem.removesuffix(suffix), int(frame), ",".join(rest[:4])))
    return dict(people)


def compared(one: People, other: People) -> Counter[str]:
    """Return how many people differ, and how many rows of the first the second lacks, or has more or twice."""
    mine, theirs = ([row for rows in people.values() for row in rows] for people in (one, other))
    changed = {frozenset(rows) for rows in one.values()} ^ {frozenset(rows) for rows in other.values()}
    return Counter(
        people_changed=len(changed),
        rows_lost=len(set(mine) - set(theirs)),
        rows_added=len(set(theirs) - set(mine)),
        rows_twice=len(theirs) - len(set(theirs)),
    )
