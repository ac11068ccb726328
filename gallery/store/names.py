"""The texts by which Redis finds people by name or tag: the elements of the sorted set `names`. Pure."""

import re

from gallery.store.people import folded, is_called
from gallery.store.store import Identity, PeopleQuery

_SPECIAL = re.compile(rb"[\\*?\[\]]")  # in patterns of Redis


def name_entry(identity: Identity) -> str:
    """Return number, name and tags of a person as one text; empty without a name or tags.

    What `Word` allows in them contains no end of a line.
    """
    name, tags = folded(identity)
    return "\n".join((str(identity.number), name, *tags)) if name or tags else ""


def read_entry(entry: bytes, query: PeopleQuery) -> tuple[bytes, bool]:
    """Return the number in an entry, and whether its person has the name and the tag of a query."""
    number, _, said = entry.partition(b"\n")
    name, *tags = said.decode().split("\n")
    return number, is_called(name, tags, query)


def pattern_of(query: PeopleQuery) -> bytes:
    """Return the pattern of Redis that the entries of a query fit, and few others."""
    part = (
        (query.tag or query.name).casefold().encode(errors="surrogatepass")
    )  # of a command's arguments: nobody has them
    return b"*" + _SPECIAL.sub(rb"\\\g<0>", part) + b"*"
