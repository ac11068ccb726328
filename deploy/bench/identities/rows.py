"""`climbtrack bench identities`: rows of the table, one for each kind of site and method."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from deploy.bench.identities.film import Film, film_of
from deploy.bench.identities.gallery import RULES, VARIANTS, decided
from deploy.bench.identities.greedy import best_greedy
from deploy.bench.identities.judge import Scores, scores
from deploy.bench.identities.looks import Studio
from deploy.bench.identities.timetable import timetable
from gallery.decision.calibrate import probability

ORACLE = "greedy, best threshold"
COLUMNS = ("IDF1", "HOTA", "links P", "links R", "wrong", "asked", "got", "stated")
METHODS = (ORACLE, *VARIANTS)
REPORTED = (900_001, 900_002, 900_003)  # seeds that nothing was chosen by; choose by those from 100 to 199


@dataclass(frozen=True, slots=True)
class Row:
    """Means over the sites of one kind, as fractions.

    Attributes:
        idf1, hota: Over all cameras.
        precision, recall: Of the links between cameras.
        wrong: Share of the tracklets that ended in the identity of somebody else.
        asked: The setting `false_merge_rate`; None for the oracle, like the next two.
        got: Share of the matches, moves and merges that were wrong when they were made.
        stated: The same according to the probabilities stated with them.
        seeds: Of the sites.
    """

    site: str
    method: str
    idf1: float
    hota: float
    precision: float
    recall: float
    wrong: float
    asked: float | None
    got: float | None
    stated: float | None
    seeds: tuple[int, ...]


def rows(
    kinds: Sequence[str], seeds: Sequence[int], methods: Sequence[str], studio: Studio, say: Callable[[str], None]
) -> Iterator[Row]:
    """Yield a row for each kind of site and method."""
    for kind in kinds:
        films = []
        for seed in seeds:
            site = timetable(kind, seed)
            films.append(film_of(site, studio.looks(site, seed), seed))
            say(f"{kind}, seed {seed}: {len(site.seen)} tracks")
        for method in methods:
            yield _oracle(kind, films, seeds) if method == ORACLE else _gallery(kind, method, films, seeds)


def _oracle(kind: str, films: Sequence[Film], seeds: Sequence[int]) -> Row:
    means = _means([scores(film, best_greedy(film)) for film in films])
    return Row(kind, ORACLE, *means, None, None, None, tuple(seeds))


def _gallery(kind: str, method: str, films: Sequence[Film], seeds: Sequence[int]) -> Row:
    judges = [decided(film, VARIANTS[method]) for film in films]
    means = _means([scores(film, judge.numbers) for film, judge in zip(films, judges, strict=True)])
    made = max(1, sum(judge.decisions for judge in judges))
    matches = max(1, sum(judge.matches for judge in judges))
    got, stated = sum(judge.wrong for judge in judges) / made, sum(judge.expected for judge in judges) / matches
    return Row(kind, method, *means, round(1 - probability(RULES.match), 4), got, stated, tuple(seeds))


def _means(found: Sequence[Scores]) -> tuple[float, float, float, float, float]:
    return (
        fmean(one.idf1 for one in found),
        fmean(one.hota for one in found),
        fmean(one.precision for one in found),
        fmean(one.recall for one in found),
        fmean(one.wrong for one in found),
    )


def table(found: Sequence[Row]) -> list[str]:
    """Return rows as lines of text."""
    return [_columns("site", "method", COLUMNS), *(_line(row) for row in found)]


def _line(row: Row) -> str:
    figures = (row.idf1, row.hota, row.precision, row.recall, row.wrong, row.asked, row.got, row.stated)
    return _columns(row.site, row.method, ["-" if value is None else f"{value:.3f}" for value in figures])


def _columns(site: str, method: str, figures: Sequence[str]) -> str:
    return f"{site:28} {method:26} " + " ".join(f"{text:>7}" for text in figures)
