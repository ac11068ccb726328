"""What was left out while a data set was read: nothing is passed over without a word."""

from collections.abc import Iterable

_NAMED = 3


class Skipped:
    """Counts what is left out, and keeps the first names of each kind."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}

    def add(self, part: str, what: str, names: Iterable[str]) -> None:
        """Note names that are left out of a part of the data set.

        Args:
            part: `train`, `query`, `gallery` or the name of a folder.
            what: The kind, in the plural: "files that are not images".
            names: Those left out, perhaps none.
        """
        self._names.setdefault(f"{part}: skipped {what}", []).extend(names)

    def remarks(self) -> tuple[str, ...]:
        """Return a sentence for each kind: how many, and the first few names."""
        return tuple(f"{kind} ({len(names)}): {listing(names)}" for kind, names in self._names.items() if names)


def listing(names: Iterable[object]) -> str:
    """Return the first names, and how many more there are.

    >>> listing("abcde")
    'a, b, c and 2 more'
    """
    # A name in another encoding than the system's has halves of characters in it, which no terminal prints
    every = [str(name).encode("utf-8", "backslashreplace").decode() for name in names]
    return ", ".join(every[:_NAMED]) + (f" and {len(every) - _NAMED} more" if len(every) > _NAMED else "")
