"""The colour of a number: hues a golden angle apart, so that numbers given out one after the other look different."""

_GOLDEN_ANGLE = 137.508


def hue(number: int) -> str:
    """Return the style that gives an element the colour of a number; the theme sets lightness and strength."""
    return f"--h:{number * _GOLDEN_ANGLE % 360:.0f}"


def chip(number: int) -> str:
    """Return a number on its colour."""
    return f'<span class="chip" style="{hue(number)}">{number}</span>'
