"""Shared wording of messages about user input: short values without passwords, and suggested names."""

import reprlib
from collections.abc import Iterable
from difflib import get_close_matches

from wire.mask import mask_url, scrub

MAX_TEXT = 120  # characters of a value that are shown

_short = reprlib.Repr()
_short.maxlevel, _short.maxlist, _short.maxdict = 3, 4, 4
_short.maxstring = _short.maxother = MAX_TEXT


def shown(value: object) -> str:
    """Format a value for a message: on one line, shortened, without passwords."""
    return _short.repr(mask_url(value)) if isinstance(value, str) else scrub(_short.repr(value))


def known_names(name: object, names: Iterable[str]) -> str:
    """List the known names, and suggest the closest one."""
    listed = sorted(names)
    close = get_close_matches(str(name)[:MAX_TEXT], listed, n=1)
    return f"{f'did you mean {close[0]}? ' if close else ''}known names: {', '.join(listed)}"
