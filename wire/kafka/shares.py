"""Who of a group reads which partitions. Pure. Part of `wire.kafka`.

A camera belongs to a partition by its key, so some partitions have several cameras and many have none: members with
equally many partitions may have 5, 2 and 1 of 8 cameras. So partitions with cameras are shared out first, by cameras,
and then the others, by number. Whatever a member has it keeps unless moving it makes the shares more even, because a
camera that moves has to be replayed.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from wire.bus import TopicPartition

Shares = dict[str, set[TopicPartition]]
Cost = Callable[[TopicPartition], int]

WORTH_MOVING = 0.1  # of the cameras of the busiest member: less of a difference is not worth a replay


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the group: the topics it reads, and the partitions it has."""

    topics: frozenset[str]
    owned: frozenset[TopicPartition]


def share(
    members: Mapping[str, Member], partitions: Collection[TopicPartition], cameras: Mapping[TopicPartition, int]
) -> Shares:
    """Return the partitions of every member; `cameras` is how many each partition has, if not none."""
    shares = _kept(members, frozenset(partitions))
    busy = [part for part in sorted(partitions) if cameras.get(part)]
    idle = [part for part in sorted(partitions) if not cameras.get(part)]
    _share_out(members, shares, busy, lambda part: cameras.get(part, 0))
    _share_out(members, shares, idle, lambda _: 1)
    return shares


def worth_moving(before: Shares, after: Shares, cameras: Mapping[TopicPartition, int]) -> bool:
    """Tell whether the busiest member would lose enough cameras for a rebalance by itself."""
    most_before, most_after = (
        max((sum(cameras.get(part, 0) for part in share) for share in shares.values()), default=0)
        for shares in (before, after)
    )
    return most_before - most_after >= max(1, WORTH_MOVING * most_before)


def _kept(members: Mapping[str, Member], partitions: frozenset[TopicPartition]) -> Shares:
    """Return what everybody has and may keep; of two who claim a partition, the first."""
    shares: Shares = {}
    left = set(partitions)
    for name, member in sorted(members.items()):
        shares[name] = {part for part in member.owned & left if part.topic in member.topics}
        left -= shares[name]
    return shares


def _share_out(members: Mapping[str, Member], shares: Shares, parts: Sequence[TopicPartition], cost: Cost) -> None:
    """Give away those of the partitions that nobody has, the largest first, and then even the shares out."""
    loads = {name: sum(map(cost, share)) for name, share in shares.items()}
    taken = set[TopicPartition]().union(*shares.values())
    for part in sorted(set(parts) - taken, key=lambda part: (-cost(part), part)):
        takers = [name for name, member in members.items() if part.topic in member.topics]
        if takers:
            taker = min(takers, key=lambda name: (loads[name], len(shares[name]), name))
            shares[taker].add(part)
            loads[taker] += cost(part)
    movable = frozenset(parts)
    while exchange := next(_exchanges(members, shares, loads, movable, cost), None):
        exchange.carry_out(shares, loads, cost)


@dataclass(frozen=True, slots=True)
class _Exchange:
    """A partition that moves from one member to another, perhaps for a smaller one."""

    giver: str
    taker: str
    part: TopicPartition
    back: TopicPartition | None

    def carry_out(self, shares: Shares, loads: dict[str, int], cost: Cost) -> None:
        moves = [(self.part, self.giver, self.taker)]
        if self.back is not None:
            moves.append((self.back, self.taker, self.giver))
        for part, source, target in moves:
            shares[source].remove(part)
            shares[target].add(part)
            loads[source] -= cost(part)
            loads[target] += cost(part)


def _exchanges(
    members: Mapping[str, Member],
    shares: Shares,
    loads: Mapping[str, int],
    movable: frozenset[TopicPartition],
    cost: Cost,
) -> Iterator[_Exchange]:
    """Yield exchanges after which the two are nearer to each other, beginning with those who are furthest apart.

    Each makes the sum of the squares of all loads smaller, so that there is a last one.
    """
    by_load = sorted(loads, key=lambda name: (loads[name], name))
    for giver in reversed(by_load):
        for taker in by_load:
            gap = loads[giver] - loads[taker]
            if gap < 2:  # a difference of one cannot be halved
                break
            given = _one_of_each_cost(shares[giver] & movable, members[giver], members[taker], cost)
            back = _one_of_each_cost(shares[taker] & movable, members[taker], members[giver], cost)
            possible = [
                (abs(gap - 2 * gain), other is not None, part, other)
                for part in given
                for other in (None, *back)
                if 0 < (gain := cost(part) - (0 if other is None else cost(other))) < gap
            ]
            if possible:
                _, _, part, other = min(possible, key=lambda one: one[:3])
                yield _Exchange(giver, taker, part, other)


def _one_of_each_cost(
    parts: Collection[TopicPartition], owner: Member, taker: Member, cost: Cost
) -> list[TopicPartition]:
    """Return a partition of each cost that the taker reads, rather one that the owner has not read yet."""
    found: dict[int, TopicPartition] = {}
    for part in sorted(parts, key=lambda part: (part not in owner.owned, part)):
        if part.topic in taker.topics:
            found[cost(part)] = part
    return list(found.values())
