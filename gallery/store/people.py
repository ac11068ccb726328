"""Pages of identities that meet some conditions. Pure."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from gallery.store.store import Identity, People, PeopleQuery, microseconds

PAGE = 256  # rows read at once by a query, about 1 MB
MAX_VISITED = 2_000  # identities of one call, about 500 kB; a page may therefore be short, and say where to continue


def pages(limit: int) -> Iterator[tuple[int, int]]:
    """Yield where pages of a list begin, and how long they are: at first little more than `limit`, which most match.

    One more, since the place after which a list begins may be its first.
    """
    start, count = 0, max(1, min(PAGE, limit + 1))
    while True:
        yield start, count
        start, count = start + count, PAGE


def page_of(candidates: Iterable[Identity], query: PeopleQuery) -> People:
    """Return a page of candidates, which are in the order of the query and after its `after`."""
    found: list[Identity] = []
    for visited, identity in enumerate(candidates, 1):
        if is_wanted(identity, query):
            found.append(identity)
        if len(found) == query.limit or visited == MAX_VISITED:
            return People(found, place_of(identity, query))
    return People(found, None)


def is_wanted(identity: Identity, query: PeopleQuery) -> bool:
    """Return whether an identity meets every condition of a query."""
    return (
        (not (query.name or query.tag) or is_called(*folded(identity), query))
        and (query.hidden is None or query.hidden == identity.hidden)
        and (query.camera_id is None or query.camera_id in identity.cameras)
        and (query.from_ns is None or identity.last_ns >= query.from_ns)
        and (query.to_ns is None or identity.first_ns <= query.to_ns)
    )


def folded(identity: Identity) -> tuple[str, list[str]]:
    """Return the name and the tags of somebody in a form that ignores case."""
    return identity.name.casefold(), [tag.casefold() for tag in identity.tags]


def is_called(name: str, tags: Collection[str], query: PeopleQuery) -> bool:
    """Return whether somebody has the name and the tag of a query; theirs as `folded` gives them."""
    return query.name.casefold() in name and (not query.tag or query.tag.casefold() in tags)


def place_of(identity: Identity, query: PeopleQuery) -> tuple[int, int]:
    """Return the place of an identity in the order of a query."""
    return (microseconds(identity.last_ns) if query.by_last else 0), identity.number


def in_order(identities: Iterable[Identity], query: PeopleQuery) -> list[Identity]:
    """Return identities in the order of a query, those after its `after` only."""
    if query.by_last:
        ordered = sorted(identities, key=_by_last, reverse=True)
        until = query.after
        return ordered if until is None else [i for i in ordered if _by_last(i) < (until[0], str(until[1]))]
    after = 0 if query.after is None else query.after[1]
    return sorted((i for i in identities if i.number > after), key=lambda identity: identity.number)


def numbers_in_order(numbers: Sequence[bytes], last_us: Sequence[float | None], query: PeopleQuery) -> list[bytes]:
    """Return numbers in the order of a query, those after its `after` only; `last_us` is needed if that is by last."""
    if not query.by_last:
        after = 0 if query.after is None else query.after[1]
        return sorted((number for number in numbers if int(number) > after), key=int)
    places = [(round(us), number) for number, us in zip(numbers, last_us, strict=True) if us is not None]
    if query.after is not None:
        until = (query.after[0], str(query.after[1]).encode())
        places = [place for place in places if place < until]
    return [number for _, number in sorted(places, reverse=True)]


def batches(numbers: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Yield numbers in parts that are read at once: ever larger ones, of which ever fewer seem to be wanted."""
    start, count = 0, PAGE
    while start < len(numbers):
        yield numbers[start : start + count]
        start, count = start + count, min(4 * count, MAX_VISITED)


def _by_last(identity: Identity) -> tuple[int, str]:
    """Return the place of an identity in a sorted set of Redis: ties are in the order of the texts."""
    return microseconds(identity.last_ns), str(identity.number)
