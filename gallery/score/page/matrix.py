"""The confusion matrix: how many of each person's boxes were shown under which number."""

from collections import Counter
from collections.abc import Iterable, Mapping

from gallery.score.page.look import chip, hue, percent
from gallery.score.site import ScoreTable

MAX_PEOPLE = 40
MAX_NUMBERS = 40


def matrix(table: ScoreTable) -> str:
    """Return the section: rows of people, columns of numbers in the order of the people they belong to.

    If there are more people or numbers than fit, those with most boxes in the wrong place are shown.
    """
    boxes: Counter[tuple[int, int]] = Counter()
    for span in table.shown:
        boxes[span.person, span.number] += span.boxes
    if not boxes:
        return ""
    there: Counter[int] = Counter()
    for visit in table.visits:
        there[visit.person] += visit.boxes
    wrong_people, wrong_numbers = _wrong(boxes, table.people)
    people = sorted(_worst(there, wrong_people, MAX_PEOPLE))
    seen = {number for _, number in boxes}
    numbers = _worst(seen, wrong_numbers, MAX_NUMBERS)
    owners = {number: person for person, number in table.people.items()}
    numbers = sorted(numbers, key=lambda number: (owners.get(number, max(there) + 1), number))
    rows = "".join(_row(person, numbers, boxes, there[person], table.people.get(person)) for person in people)
    head = "".join(f"<th>{chip(number)}</th>" for number in numbers)
    return (
        '<section><h2>Who was shown under which number</h2><p class="note">Percent of each person\'s boxes; the number '
        f"that belongs to a person is outlined.{_left_out(len(there) - len(people), len(seen) - len(numbers))}</p>"
        f'<div class="scroll"><table class="matrix"><thead><tr><th></th>{head}<th>not found</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def _wrong(boxes: Mapping[tuple[int, int], int], own: Mapping[int, int]) -> tuple[Counter[int], Counter[int]]:
    """Return how many boxes of each person, and of each number, are in the wrong place."""
    people: Counter[int] = Counter()
    numbers: Counter[int] = Counter()
    for (person, number), count in boxes.items():
        if own.get(person) != number:
            people[person] += count
            numbers[number] += count
    return people, numbers


def _worst(names: Iterable[int], wrong: Mapping[int, int], most: int) -> list[int]:
    return sorted(names, key=lambda name: (-wrong[name], name))[:most]


def _left_out(people: int, numbers: int) -> str:
    return f" {people} people and {numbers} numbers with fewer mistakes are left out." if people or numbers else ""


def _row(person: int, numbers: list[int], boxes: Counter[tuple[int, int]], there: int, own: int | None) -> str:
    cells = "".join(_cell(person, number, boxes[person, number], there, own == number) for number in numbers)
    missed = there - sum(count for (who, _), count in boxes.items() if who == person)
    return f"<tr><th>Person {person}</th>{cells}<td>{percent(missed, there)}</td></tr>"


def _cell(person: int, number: int, count: int, there: int, own: bool) -> str:  # noqa: FBT001 - one of five columns
    mine = ' class="mine"' if own else ""
    style = f' style="{hue(number)};--share:{count / there:.3f}"' if count else ""
    title = f' title="person {person} under number {number}: {count} of {there} boxes"' if count else ""
    return f"<td{mine}{style}{title}>{percent(count, there) if count else ''}</td>"
