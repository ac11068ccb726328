"""Where people whom a query may mean are found in Redis: their numbers, in the order of the query.

Names and tags are one sorted set of texts, `names`, in the order of numbers: the server hands them out in this order,
and finds those that contain something.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from gallery.store.layout import NAMES, has_layout
from gallery.store.names import pattern_of, read_entry
from gallery.store.people import batches, numbers_in_order, pages
from gallery.store.store import PeopleQuery

WALKED = 1_024  # names looked at in their order before the server is asked for those that contain something
SCANNED = 4_096  # names that the server looks at in one step, some hundred microseconds


def candidates(client: Any, prefix: str, query: PeopleQuery) -> Iterator[Sequence[bytes]]:
    """Yield the numbers of people among whom those of a query are, in its order, in parts that are read at once."""
    if (query.name or query.tag) and has_layout(client, prefix, NAMES):
        yield from _called(client, f"{prefix}names", f"{prefix}by-last", query)
    elif query.name or query.tag or query.hidden:  # a set, in no order; `named` beside a gallery of layout 3
        members = list(client.smembers(prefix + ("named" if query.name or query.tag else "hidden")))
        yield from batches(_in_order(client, f"{prefix}by-last", members, query))
    else:
        yield from _everybody(client, prefix, query)


def _everybody(client: Any, prefix: str, query: PeopleQuery) -> Iterator[Sequence[bytes]]:
    after = query.after or (0, 0)
    for start, count in pages(query.limit):
        if query.by_last:
            most = "+inf" if query.after is None else after[0]
            numbers = client.zrevrangebyscore(f"{prefix}by-last", most, "-inf", start=start, num=count)
        else:
            numbers = client.zrangebyscore(f"{prefix}by-number", f"({after[1]}", "+inf", start=start, num=count)
        if not numbers:
            return
        yield numbers


def _called(client: Any, names: str, by_last: str, query: PeopleQuery) -> Iterator[Sequence[bytes]]:
    """Yield the people of a name or tag.

    What many are called is among the first names; what is rare is found by the server among all of them, in steps.
    """
    after = 0 if query.after is None else query.after[1]
    if not query.by_last:
        first = client.zrangebyscore(names, f"({after}", "+inf", start=0, num=WALKED)
        yield from batches([number for number, is_meant in (read_entry(one, query) for one in first) if is_meant])
        if len(first) < WALKED:
            return
        after = int(read_entry(first[-1], query)[0])
    steps = client.zscan_iter(names, match=pattern_of(query), count=SCANNED)
    found = (read_entry(entry, query) for entry, _ in steps)
    numbers = {number for number, is_meant in found if is_meant and (query.by_last or int(number) > after)}
    yield from batches(_in_order(client, by_last, list(numbers), query))


def _in_order(client: Any, by_last: str, numbers: list[bytes], query: PeopleQuery) -> list[bytes]:
    last_us = client.zmscore(by_last, numbers) if query.by_last and numbers else []
    return numbers_in_order(numbers, last_us, query)
