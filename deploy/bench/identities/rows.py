"""`climbtrack bench identities`: rows of the table, one for each kind of site and method."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from deploy.bench.identities.film import Film, days_of, film_of
from deploy.bench.identities.gallery import RULES, VARIANTS, decided, decided_anew
from deploy.bench.identities.greedy import best_greedy
from deploy.bench.identities.judge import Judge, Scores, scores
from deploy.bench.identities.looks import Studio
from deploy.bench.identities.timetable import timetable
from gallery.decision.calibrate import probability

ORACLE = "greedy, best threshold"
COLUMNS = ("IDF1", "HOTA", "links P", "links R", "wrong", "asked", "got", "stated")
ANEW = "this gallery, anew each day"  # begins every day with nobody known; only of sites of several days
METHODS = (ORACLE, *VARIANTS, ANEW)
BY_DAY = ", each day by itself"  # after the kind of a site of several days: the mean of the scores of its days
REPORTED = (900_001, 900_002, 900_003)  # seeds that nothing was chosen by; choose by those from 100 to 199


@dataclass(frozen=True, slots=True)
class Row:
    """Means over the sites of one kind, as fractions.

    Attributes:
        idf1, hota: Over all cameras.
        precision, recall: Of the links between cameras.
        wrong: Share of the tracklets that ended in the identity of somebody else.
        asked: The setting `false_merge_rate`; None where nothing is counted, like the next two.
        got: Share of the matches, moves and merges that were wrong at the end of the window that made them.
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
            yield from _rows(kind, method, films, seeds)


def _rows(kind: str, method: str, films: Sequence[Film], seeds: Sequence[int]) -> Iterator[Row]:
    """Yield the row of a method, and another one for the days of sites that have several."""
    days = [days_of(film) for film in films]
    several = len(days[0]) > 1
    if method == ANEW and not several:
        return
    judges = [decided(film, VARIANTS[method]) for film in films] if method in VARIANTS else []
    numbers = [judge.numbers for judge in judges] if judges else [_numbers(method, film) for film in films]
    asked, got, stated = _rates(judges)
    found = list(zip(films, days, numbers, strict=True))
    yield Row(kind, method, *_means([scores(film, own) for film, _, own in found]), asked, got, stated, tuple(seeds))
    if several:
        means = _means([scores(day, own) for _, parts, own in found for day in parts])
        yield Row(kind + BY_DAY, method, *means, None, None, None, tuple(seeds))


def _numbers(method: str, film: Film) -> dict[str, int | None]:
    return dict(best_greedy(film)) if method == ORACLE else decided_anew(film, RULES)


def _rates(judges: Sequence[Judge]) -> tuple[float | None, float | None, float | None]:
    """Return which share of the decisions was to be wrong, was, and was stated to be; None without any gallery."""
    if not judges:
        return None, None, None
    verdicts = [verdict for judge in judges for verdict in judge.verdicts]
    got = fmean(not one.right for one in verdicts) if verdicts else 0.0
    stated = fmean(1 - one.stated for one in verdicts) if verdicts else 0.0
    return round(1 - probability(RULES.match), 4), got, stated


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
