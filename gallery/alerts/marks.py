"""What was raised already, so that it is not raised again. Pure.

A mark is the interval of something that was raised. It is kept under the rule and each number of the person, and under
the rule and the tracklet: who is merged, split or corrected later is not told a second time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gallery.alerts.found import Found
from gallery.alerts.presence import JOIN_NS
from gallery.zones.alert import Interval
from gallery.zones.rule import Rule

MAX_MARKS = 32  # under one key; the latest ones

Marks = Mapping[str, tuple[Interval, ...]]


def keys_of(rule: Rule, numbers: Iterable[int], found: Iterable[Found]) -> list[str]:
    """Return the keys under which earlier marks may be."""
    of_rule = f"{rule.rule_id}/{rule.when}"
    people = [f"{of_rule}/person/{number}" for number in numbers]
    tracklets = [f"{of_rule}/tracklet/{one.moment.sight.tracklet_id}" for one in found]
    return list(dict.fromkeys([*people, *tracklets]))


@dataclass(slots=True)
class Ledger:
    """The marks of one rule and one person, and those that have changed."""

    rule: Rule
    numbers: Sequence[int]
    marks: dict[str, tuple[Interval, ...]]
    changed: dict[str, tuple[Interval, ...]] = field(default_factory=dict)

    def is_news(self, found: Found) -> bool:
        """Tell whether something was not raised before, and mark it as raised from now on."""
        keys = keys_of(self.rule, self.numbers, [found])
        known = [mark for key in keys for mark in self.marks.get(key, ()) if self._is_same(mark, found.span)]
        begin = min([found.span[0], *(mark[0] for mark in known)])
        end = max([found.span[1], *(mark[1] for mark in known)])
        for key in (keys[0], keys[-1]):
            self._put(key, (begin, end))
        return not known

    def _is_same(self, mark: Interval, span: Interval) -> bool:
        once = self.rule.who == "new"
        return once or (mark[0] - JOIN_NS <= span[1] and span[0] <= mark[1] + JOIN_NS)

    def _put(self, key: str, mark: Interval) -> None:
        before = self.marks.get(key, ())
        apart = [one for one in before if one[1] < mark[0] or mark[1] < one[0]]
        after = tuple(sorted([*apart, mark])[-MAX_MARKS:])
        if after != before:
            self.marks[key] = self.changed[key] = after
