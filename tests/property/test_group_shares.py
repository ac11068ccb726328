"""Partitions are shared out by the cameras in them, and move only where that makes the shares more even."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.partitioner.default import murmur2
from kafka.protocol.consumer.metadata import ConsumerProtocolSubscription

from wire.bus import TopicPartition
from wire.kafka.assignor import CameraAssignor
from wire.kafka.shares import Member, Shares, share, worth_moving

FRAMES = [TopicPartition("frames", number) for number in range(32)]
QUERIES = [TopicPartition("queries", number) for number in range(8)]
PARTITIONS = FRAMES + QUERIES
TOPICS = frozenset({"frames", "queries"})

names = st.lists(st.text("abcdefghij", min_size=1, max_size=5), min_size=1, max_size=12, unique=True)
counts = st.dictionaries(st.sampled_from(FRAMES), st.integers(1, 4))
groups = st.integers(1, 8).map(lambda number: [f"worker-{index}" for index in range(number)])


def fresh(group: list[str]) -> dict[str, Member]:
    return {name: Member(TOPICS, frozenset()) for name in group}


def with_shares(shares: Shares, group: list[str]) -> dict[str, Member]:
    return {name: Member(TOPICS, frozenset(shares.get(name, ()))) for name in group}


def loads(shares: Shares, cameras: dict[TopicPartition, int]) -> list[int]:
    return sorted(sum(cameras.get(part, 0) for part in parts) for parts in shares.values())


def stock(group: list[str]) -> Shares:
    """Return what the client's own assignor gives the members of a new group."""
    topics = {"frames": {part.partition for part in FRAMES}, "queries": {part.partition for part in QUERIES}}
    cluster = SimpleNamespace(topics=lambda: set(topics), partitions_for_topic=topics.get)
    members = [
        SimpleNamespace(
            member_id=name,
            metadata=ConsumerProtocolSubscription(version=1, topics=sorted(topics), user_data=b"", owned_partitions=[]),
        )
        for name in group
    ]
    given = CooperativeStickyAssignor().assign(cluster, members)
    return {name: {TopicPartition(*part) for part in given[name].partitions()} for name in group}


@given(groups, counts)
def test_everything_is_read_by_exactly_one_member(group: list[str], cameras: dict[TopicPartition, int]) -> None:
    shares = share(fresh(group), PARTITIONS, cameras)
    assert sorted(part for parts in shares.values() for part in parts) == sorted(PARTITIONS)


@given(groups, counts)
def test_no_member_has_more_cameras_than_the_stock_assignor_would_give_one(
    group: list[str], cameras: dict[TopicPartition, int]
) -> None:
    assert loads(share(fresh(group), PARTITIONS, cameras), cameras)[-1] <= loads(stock(group), cameras)[-1]


@given(groups, counts)
def test_shares_differ_by_no_more_than_the_cameras_of_one_partition(
    group: list[str], cameras: dict[TopicPartition, int]
) -> None:
    found = loads(share(fresh(group), PARTITIONS, cameras), cameras)
    assert found[-1] - found[0] <= max(cameras.values(), default=0)


@given(groups)
def test_without_cameras_shares_differ_by_one_partition(group: list[str]) -> None:
    sizes = [len(parts) for parts in share(fresh(group), PARTITIONS, {}).values()]
    assert max(sizes) - min(sizes) <= 1


@given(groups, counts)
def test_nothing_moves_when_nothing_has_changed(group: list[str], cameras: dict[TopicPartition, int]) -> None:
    shares = share(fresh(group), PARTITIONS, cameras)
    assert share(with_shares(shares, group), PARTITIONS, cameras) == shares


@given(groups, counts, st.data())
def test_when_a_member_joins_or_leaves_shares_are_as_even_and_most_stay(
    group: list[str], cameras: dict[TopicPartition, int], data: st.DataObject
) -> None:
    shares = share(fresh(group), PARTITIONS, cameras)
    others = [*group, "new"] if data.draw(st.booleans()) or len(group) == 1 else group[1:]
    after = share(with_shares(shares, others), PARTITIONS, cameras)

    found = loads(after, cameras)
    assert found[-1] - found[0] <= max(cameras.values(), default=0)
    before = {part: name for name in set(group) & set(others) for part in shares[name]}
    moved = [part for name, parts in after.items() for part in parts if before.get(part, name) != name]
    assert sum(cameras.get(part, 0) for part in moved) <= 2 * max(loads(shares, cameras))


@given(names, st.integers(1, 4))
def test_cameras_that_share_no_partition_are_spread_evenly(cameras: list[str], workers: int) -> None:
    parts = {int(murmur2(name.encode()) & 0x7FFFFFFF) % 32 for name in cameras}
    found = loads(
        share(fresh([str(number) for number in range(workers)]), PARTITIONS, {FRAMES[part]: 1 for part in parts}),
        {FRAMES[part]: 1 for part in parts},
    )
    assert found[-1] - found[0] <= 1


def test_eight_cameras_are_shared_by_three_workers_as_three_three_and_two() -> None:
    group, cameras = ["a", "b", "c"], {FRAMES[number]: 1 for number in (0, 3, 6, 9, 12, 15, 18, 21)}
    assert loads(stock(group), cameras)[-1] > 3
    assert loads(share(fresh(group), PARTITIONS, cameras), cameras) == [2, 3, 3]


def test_a_member_gets_only_topics_that_it_reads() -> None:
    members = {"new": Member(TOPICS, frozenset()), "old": Member(frozenset({"frames"}), frozenset(QUERIES))}
    shares = share(members, PARTITIONS, {})
    assert shares["new"] >= set(QUERIES)
    assert len(shares["new"]) == len(shares["old"]) == 20


def test_a_partition_that_nobody_reads_is_left() -> None:
    assert share({"one": Member(frozenset({"frames"}), frozenset())}, PARTITIONS, {}) == {"one": set(FRAMES)}


@pytest.mark.parametrize(
    ("before", "after", "worth"),
    [
        pytest.param([8, 0], [4, 4], True, id="a new worker"),
        pytest.param([3, 1], [2, 2], True, id="one camera of three"),
        pytest.param([40, 37], [39, 38], False, id="one camera of forty"),
        pytest.param([2, 2], [2, 2], False, id="no difference"),
    ],
)
def test_cameras_move_by_themselves_only_if_that_is_worth_a_replay(
    before: list[int], after: list[int], worth: bool
) -> None:
    cameras = dict.fromkeys((TopicPartition("frames", number) for number in range(100)), 1)

    def shares(sizes: list[int]) -> Shares:
        parts = iter(cameras)
        return {str(index): {next(parts) for _ in range(size)} for index, size in enumerate(sizes)}

    assert worth_moving(shares(before), shares(after), cameras) is worth


class Group:
    """Members that follow the cooperative protocol, with one that leads."""

    def __init__(self) -> None:
        self.leader = CameraAssignor({"frames"})
        self.owned: dict[str, set[TopicPartition]] = {}

    def rebalance(self) -> int:
        """Let the leader share out until nothing moves any more; return how many rounds that took."""
        topics = {"frames": {part.partition for part in FRAMES}, "queries": {part.partition for part in QUERIES}}
        cluster = SimpleNamespace(partitions_for_topic=topics.get)
        for rounds in range(1, 10):
            given = self.leader.assign(cluster, [self._member(name) for name in self.owned])
            shares = {name: {TopicPartition(*part) for part in given[name].partitions()} for name in self.owned}
            for name, parts in shares.items():
                assert all(parts.isdisjoint(owned) for other, owned in self.owned.items() if other != name)
            revoked = any(owned - shares[name] for name, owned in self.owned.items())
            self.owned = shares
            self.leader.on_assignment(given[next(iter(self.owned))], rounds)
            if not revoked:
                break
        return rounds

    def cameras(self) -> list[int]:
        return loads(self.owned, {part: self.leader._cameras.get(part.partition, 0) for part in FRAMES})

    def _member(self, name: str) -> SimpleNamespace:
        owned = [
            ConsumerProtocolSubscription.TopicPartition(
                topic=topic, partitions=sorted(part.partition for part in self.owned[name] if part.topic == topic)
            )
            for topic in sorted(TOPICS)
        ]
        metadata = ConsumerProtocolSubscription(version=1, topics=sorted(TOPICS), user_data=b"", owned_partitions=owned)
        return SimpleNamespace(member_id=name, metadata=ConsumerProtocolSubscription.decode(metadata.encode()))


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.dictionaries(st.integers(0, 31), st.integers(1, 3))), min_size=1))
def test_whatever_comes_and_goes_a_partition_is_taken_before_it_is_given_and_none_is_left(
    steps: list[tuple[str, dict[int, int]]],
) -> None:
    group = Group()
    for name, cameras in steps:
        if name in group.owned and len(group.owned) > 1:
            del group.owned[name]
        else:
            group.owned.setdefault(name, set())
        group.leader.learn(cameras)
        assert group.rebalance() <= 3
        assert set().union(*group.owned.values()) == set(PARTITIONS)
        found = group.cameras()
        assert found[-1] - found[0] <= max(cameras.values(), default=0)


def test_a_leader_asks_for_a_rebalance_when_cameras_came_that_make_shares_uneven() -> None:
    group = Group()
    group.owned = {"a": set(), "b": set(), "c": set()}
    group.rebalance()
    mine = {part.partition for part in group.owned["a"] if part.topic == "frames"}
    assert group.leader.learn(dict.fromkeys(mine, 1))
    assert group.leader.is_uneven()
    group.rebalance()
    found = group.cameras()
    assert found[-1] - found[0] <= 1
    assert not group.leader.is_uneven()


def test_who_does_not_lead_any_more_asks_for_nothing() -> None:
    group = Group()
    group.owned = {"a": set(), "b": set()}
    group.rebalance()
    own = SimpleNamespace(partitions=lambda: sorted(group.owned["a"]))
    group.leader.on_assignment(own, 2)  # without having shared out itself
    group.leader.learn({part.partition: 5 for part in group.owned["a"]})
    assert not group.leader.is_uneven()
