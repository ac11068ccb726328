"""Pages of identities that meet some conditions. Pure."""

from collections.abc import Iterable

from gallery.store.store import Identity, People, PeopleQuery, microseconds

MAX_VISITED = 2_000  # identities of one call; a page may therefore be short, and say where to continue


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
        (not query.name or query.name.casefold() in identity.name.casefold())
        and (query.hidden is None or query.hidden == identity.hidden)
        and (query.camera_id is None or query.camera_id in identity.cameras)
        and (query.from_ns is None or identity.last_ns >= query.from_ns)
        and (query.to_ns is None or identity.first_ns <= query.to_ns)
    )


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


def _by_last(identity: Identity) -> tuple[int, str]:
    """Return the place of an identity in a sorted set of Redis: ties are in the order of the texts."""
    return microseconds(identity.last_ns), str(identity.number)
