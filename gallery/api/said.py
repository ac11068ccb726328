"""Texts that people give to people and things: names and tags. One form for each, and nothing that cannot be seen."""

import re
import unicodedata

from wire.message import UNSENDABLE

# What is not seen, and what turns or breaks the text around it: two equal names would be two, and a list would read
# otherwise than it is. Joiners and marks of direction stay, which Persian, Hebrew and emoji are written with.
UNSEEN = re.compile(r"[\u200b\u2028-\u202e\u2060-\u206f\ufeff]")
# Of a character in documents, for which `re` and ECMAScript read this alike.
CHARACTER = r"[^\x00-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u206f\ufeff]"


def shown_text(text: str) -> str:
    """Return a text without surrounding spaces, in Unicode's composed form.

    Raises:
        ValueError: It contains characters that control something, or that cannot be seen.
    """
    if UNSENDABLE.search(text):
        raise ValueError("must not contain control characters")
    if UNSEEN.search(text):
        raise ValueError("must not contain invisible characters, or such that change the direction of the text")
    return unicodedata.normalize("NFC", text.strip())
