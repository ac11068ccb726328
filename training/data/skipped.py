"""Collect what is skipped while reading a data set, so that nothing is skipped silently."""

from collections.abc import Iterable

_NAMED = 3


class Skipped:
    """Collector of skipped names, by kind."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}

    def add(self, part: str, what: str, names: Iterable[str]) -> None:
        """Record names skipped in a part of the data set.

        Args:
            part: `train`, `query`, `gallery` or the name of a folder.
            what: The kind, in the plural: "files that are not images".
            names: The skipped names, possibly none.
        """
        self._names.setdefault(f"{part}: skipped {what}", []).extend(names)

    def remarks(self) -> tuple[str, ...]:
        """Return a sentence for each kind, with the count and the first few names."""
        return tuple(f"{kind} ({len(names)}): {listing(names)}" for kind, names in self._names.items() if names)


def listing(names: Iterable[object]) -> str:
    """Format the first few names, and the number of remaining ones.

    >>> listing("abcde")
    'a, b, c and 2 more'
    """
    # Names in an encoding other than the system's contain surrogates, which cannot be printed
    every = [str(name).encode("utf-8", "backslashreplace").decode() for name in names]
    return ", ".join(every[:_NAMED]) + (f" and {len(every) - _NAMED} more" if len(every) > _NAMED else "")
