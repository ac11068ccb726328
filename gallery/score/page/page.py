"""The page as a whole: headline, figures, timeline, confusions, cameras."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from gallery.score.figures import figures_of
from gallery.score.page.matrix import matrix
from gallery.score.page.style import STYLE
from gallery.score.page.timeline import timeline
from gallery.score.page.write import write_whole
from gallery.score.site import ScoreTable
from gallery.score.words import in_words, merges_in_words, splits_in_words

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Who was taken for whom</title>
<style>{style}</style>
<main>
<header><h1>Who was taken for whom</h1><p>{subtitle}</p></header>
<section class="tiles">{tiles}</section>
{body}
<footer>{footer}</footer>
</main>
</html>
"""
_COLUMNS = ("HOTA", "DetA", "AssA", "LocA", "IDF1", "IDP", "IDR", "MOTA", "IDSW", "Frag", "MT", "PT", "ML")


def write_page(table: ScoreTable, path: Path) -> None:
    """Write the page atomically.

    Raises:
        OSError: The file cannot be written.
    """
    write_whole(page(table), path)


def page(table: ScoreTable) -> str:
    """Return the page."""
    people = len({visit.person for visit in table.visits})
    counts = ((len(table.cameras), "camera", "cameras"), (people, "person", "people"), (table.numbers, "number", ""))
    return PAGE.format(
        style=STYLE,
        subtitle=", ".join(f"{n} {one if n == 1 else many or one + 's'}" for n, one, many in counts) + ".",
        tiles="".join(_tile(*tile) for tile in _tiles(table)),
        body="\n".join([timeline(table), matrix(table), _confusions(table), _cameras(table), _links(table)]),
        footer=" ".join(escape(paragraph) for paragraph in [*in_words(table), *table.remarks]),
    )


def _tiles(table: ScoreTable) -> Iterable[tuple[str, float | None, str]]:
    figures, links, found = figures_of(table.overall), table.links, table.identification
    yield "HOTA", figures["HOTA"], f"detection {figures['DetA']:.3f}, association {figures['AssA']:.3f}"
    yield "IDF1", figures["IDF1"], f"precision {figures['IDP']:.3f}, recall {figures['IDR']:.3f}"
    yield "MOTA", figures["MOTA"], f"{figures['IDSW']} switches, {figures['Frag']} fragments"
    if len(table.cameras) > 1:
        yield "Link recall", links.recall, f"{links.true} times two cameras saw one person"
        yield "Link precision", links.precision, f"{links.claimed} times two cameras showed one number"
    yield "Not recognised", found.fnir, f"{found.false_negatives} of {found.later} later visits (FNIR)"
    yield "Taken for others", found.fpir, f"{found.false_positives} of {found.first} first visits (FPIR)"


def _tile(name: str, value: float | None, more: str) -> str:
    shown = "\N{EN DASH}" if value is None else f"{value:.3f}"
    return f"<div><h2>{name}</h2><b>{shown}</b><p>{more}</p></div>"


def _confusions(table: ScoreTable) -> str:
    lists = [_list(lines) for lines in (merges_in_words(table), splits_in_words(table)) if lines]
    return f'<section class="lists">{"".join(lists)}</section>' if lists else ""


def _list(lines: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines[1:])
    return f"<div><h2>{escape(lines[0].rstrip(':'))}</h2><ul>{items}</ul></div>"


def _cameras(table: ScoreTable) -> str:
    scores = [*table.cameras.items(), ("each on its own", table.separate), ("all cameras", table.overall)]
    rows = []
    for name, score in scores:
        figures = figures_of(score)
        rows.append((name, *(_figure(figures[column]) for column in _COLUMNS)))
    return _grid("Cameras", ("camera", *_COLUMNS), rows)


def _links(table: ScoreTable) -> str:
    rows = [
        (
            f"{one} \N{LEFT RIGHT ARROW} {other}",
            _figure(of.recall),
            _figure(of.precision),
            f"{of.true}",
            f"{of.claimed}",
        )
        for (one, other), of in table.camera_links.items()
    ]
    columns = ("cameras", "recall", "precision", "people on both", "numbers on both")
    return _grid("Links between cameras", columns, rows) if rows else ""


def _grid(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr><th>{escape(first)}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in rest)}</tr>"
        for first, *rest in rows
    )
    return (
        f'<section><h2>{title}</h2><div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></section>"
    )


def _figure(value: float | None) -> str:
    return "\N{EN DASH}" if value is None else f"{value}" if isinstance(value, int) else f"{value:.3f}"
