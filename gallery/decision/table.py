"""A dictionary that is copied in constant time, however large it is."""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Generic, TypeVar

from immutables import Map

K = TypeVar("K")
V = TypeVar("V")


class Table(MutableMapping[K, V], Generic[K, V]):
    """A dictionary over a persistent hash map: a copy shares everything with the original until either is changed.

    Keys are in no particular order.
    """

    __slots__ = ("_map",)

    def __init__(self, entries: Mapping[K, V] | None = None) -> None:
        self._map: Map[K, V] = Map(entries or {})

    def copy(self) -> "Table[K, V]":
        """Return a table that can be changed independently; constant time."""
        new: Table[K, V] = Table()
        new._map = self._map
        return new

    def __getitem__(self, key: K) -> V:
        return self._map[key]

    def get(self, key: K, default: Any = None) -> Any:
        """Return the value of a key, or a default; faster than what the base class does."""
        return self._map.get(key, default)

    def __setitem__(self, key: K, value: V) -> None:
        self._map = self._map.set(key, value)

    def __delitem__(self, key: K) -> None:
        self._map = self._map.delete(key)

    def __iter__(self) -> Iterator[K]:
        return iter(self._map)

    def __len__(self) -> int:
        return len(self._map)

    def __contains__(self, key: object) -> bool:
        return key in self._map

    def __eq__(self, other: object) -> bool:
        return self._map == other._map if isinstance(other, Table) else dict(self._map) == other

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Table({dict(self._map)!r})"
