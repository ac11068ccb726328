"""A score in words, for readers who do not know the measures."""

from collections.abc import Iterator, Sequence

from gallery.score.clock import Clock
from gallery.score.measures.confusion import Part
from gallery.score.measures.links import Links
from gallery.score.presence import Shown
from gallery.score.site import ScoreTable

MOST_LINES = 2
_MOST_PARTS = 3
_MOST_SPANS = 2


def in_words(table: ScoreTable) -> Iterator[str]:
    """Yield paragraphs about a score: what IDF1 means, links between cameras, and identification."""
    overall, found = table.overall.identity, len(table.people)
    yield (
        f"IDF1 is {overall.idf1:.2f} over all cameras; 1.00 is perfect. {overall.idr:.0%} of the true boxes were found "
        f"under the one number that belongs to their person, and {overall.idp:.0%} of the boxes found have the right "
        f"number. {_count(table.numbers, 'number')} {_were(table.numbers)} given out, and {found} of them "
        f"{'belongs' if found == 1 else 'belong'} to a real person."
    )
    if (links := links_in_words(table.links)) and len(table.cameras) > 1:
        yield links
    if identified := identification_in_words(table):
        yield identified


def links_in_words(links: Links) -> str:
    """Return a sentence about links between cameras; empty if there are none."""
    if links.precision is None or links.recall is None:
        return ""
    are = "is" if links.claimed == 1 else "are"
    return (
        f"Of {_count(links.true, 'link')} between cameras (a person seen by two of them), {links.recall:.1%} "
        f"{_were(links.true)} made (recall); of {_count(links.claimed, 'link')} made (a number shown on two of them), "
        f"{links.precision:.1%} {are} right (precision)."
    )


def identification_in_words(table: ScoreTable) -> str:
    """Return a sentence about people who come back and strangers; empty if nobody came back."""
    found = table.identification
    if found.fnir is None or found.fpir is None:
        return ""
    missed, mistaken = found.false_negatives, found.false_positives
    return (
        f"Of {_count(found.later, 'visit')} of people seen before, {missed} {_were(missed)} not recognised (FNIR "
        f"{found.fnir:.2f}); of {_count(found.first, 'first visit')}, {mistaken} {_were(mistaken)} taken for somebody "
        f"else (FPIR {found.fpir:.2f})."
    )


def merges_in_words(table: ScoreTable) -> list[str]:
    """Return a heading and a sentence for each of the worst numbers that show several people; empty if none does."""
    one, more = "1 number shows more than one person:", "{} numbers show more than one person:"
    lines = [f"number {one.id} shows {_parts(one.parts, 'person', table.clock)}" for one in table.merges[:MOST_LINES]]
    return _listing(one, more, len(table.merges), lines)


def splits_in_words(table: ScoreTable) -> list[str]:
    """Return a heading and a sentence for each of the people with most boxes under wrong numbers; empty if none has."""
    one, more = "1 person has more than one number:", "{} people have more than one number:"
    lines = [f"person {one.id} has {_parts(one.parts, 'number', table.clock)}" for one in table.splits[:MOST_LINES]]
    return _listing(one, more, len(table.splits), lines)


def _listing(one: str, several: str, count: int, lines: list[str]) -> list[str]:
    if not lines:
        return []
    rest = [f"and {count - len(lines)} more, which --json lists"] if count > len(lines) else []
    return [one if count == 1 else several.format(count), *lines, *rest]


def _parts(parts: Sequence[Part], noun: str, clock: Clock) -> str:
    named = [f"{noun} {part.id} ({_spans(part.spans, clock)})" for part in parts[:_MOST_PARTS]]
    if more := len(parts) - len(named):
        named.append(f"{more} more")
    return ", ".join(named[:-1]) + f" and {named[-1]}"


def _spans(spans: Sequence[Shown], clock: Clock) -> str:
    named = [f"{span.camera} {clock.span(span.first, span.last)}" for span in spans[:_MOST_SPANS]]
    return ", ".join(named) + (f", {len(spans) - len(named)} more" if len(spans) > len(named) else "")


def _count(count: int, noun: str) -> str:
    plural = {"person": "people"}.get(noun, f"{noun}s")
    return f"{count} {noun if count == 1 else plural}"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
