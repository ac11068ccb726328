"""How numbers and shares look. The hues of numbers given out one after the other are a golden angle apart."""

_GOLDEN_ANGLE = 137.508


def hue(number: int) -> str:
    """Return the style that gives an element the colour of a number; the theme sets lightness and strength."""
    return f"--h:{number * _GOLDEN_ANGLE % 360:.0f}"


def chip(number: int) -> str:
    """Return a number on its colour."""
    return f'<span class="chip" style="{hue(number)}">{number}</span>'


def percent(part: int, whole: int) -> str:
    """Return a share in percent, as HTML; little is never shown as nothing.

    >>> percent(0, 300), percent(1, 300), percent(299, 300)
    ('0', '&lt;1', '100')
    """
    share = 100 * part / whole
    return "&lt;1" if 0 < share < 0.5 else f"{share:.0f}"
