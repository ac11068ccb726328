"""Recognises web pages that were saved in place of a model, by a proxy, a login page or a wrong link."""

import re


def web_page(data: bytes) -> str | None:
    """Describe a web page by its title; None if the data is not a web page.

    >>> web_page(b"<html><title>Access denied</title>")
    "a web page ('Access denied')"
    """
    start = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").decode("utf-8", "replace")
    if not re.match(r"<(!doctype|html|head|body|\?xml|!--)", start, re.IGNORECASE):
        return None
    title = re.search(r"<title[^>]*>([^<]*)", start, re.IGNORECASE)
    words = " ".join("".join(filter(str.isprintable, title[1])).split())[:80] if title else ""
    return f"a web page ({words!r})" if words else "a web page"
