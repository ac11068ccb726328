"""Shares out the partitions of a group among its members. Part of `wire.kafka`.

The protocol is the client's cooperative one: a partition that moves is taken from its owner in a first round, and given
to the next in a second. The name is that of the stock assignor, so that members of an earlier version share the group.
"""

from collections.abc import Collection, Mapping
from typing import Any

from kafka import errors
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment

from wire.bus import TopicPartition
from wire.kafka.shares import Member, Shares, share, worth_moving


class CameraAssignor(CooperativeStickyAssignor):  # type: ignore[misc] # the base class publishes no types
    """Gives every member about as many cameras, and then about as many partitions.

    Whichever member leads the group shares out; the others only take what they are given.
    """

    def __init__(self, camera_topics: Collection[str]) -> None:
        super().__init__()
        self._camera_topics = frozenset(camera_topics)  # names on the broker
        self._cameras: Mapping[int, int] = {}  # by number of the partition
        self._changed = False  # since the partitions were shared out
        self._members: dict[str, Member] | None = None  # as they will be after the last sharing, where we lead
        self._leads = False

    def learn(self, cameras: Mapping[int, int]) -> bool:
        """Take note of how many cameras the partitions have; return whether that is new."""
        if cameras == self._cameras:
            return False
        self._cameras = cameras
        self._changed = True
        return True

    def is_uneven(self) -> bool:
        """Tell whether cameras came or went since the last sharing, so that another one would be worth it."""
        members = self._members
        if members is None or not self._changed:
            return False
        self._changed = False
        before: Shares = {name: set(member.owned) for name, member in members.items()}
        partitions = set[TopicPartition]().union(*before.values())
        cameras = self._by_partition(partitions)
        return worth_moving(before, share(members, partitions, cameras), cameras)

    def assign(self, cluster: Any, members: Any) -> Any:
        """Return every member's share.

        Raises:
            LeaderNotAvailableError: Metadata of a topic has not arrived yet; the client rejoins after a pause. Else the
                topic would be left unassigned, and that might never be noticed.
        """
        wanted = {topic for member in members for topic in member.metadata.topics}
        unknown = sorted(topic for topic in wanted if not cluster.partitions_for_topic(topic))
        if unknown:
            raise errors.LeaderNotAvailableError(f"no metadata for {', '.join(unknown)} yet")
        partitions = {
            TopicPartition(topic, number) for topic in wanted for number in cluster.partitions_for_topic(topic)
        }
        found = {member.member_id: _member(self.parse_member_metadata(member.metadata)) for member in members}
        shares = share(found, partitions, self._by_partition(partitions))
        owners = {part: name for name, member in found.items() for part in member.owned}
        self._members = {name: Member(found[name].topics, frozenset(parts)) for name, parts in shares.items()}
        self._leads, self._changed = True, False
        return {
            name: ConsumerProtocolAssignment(
                self.version, _by_topic({part for part in parts if owners.get(part, name) == name}), b""
            )
            for name, parts in shares.items()
        }

    def on_assignment(self, assignment: Any, generation: Any) -> None:
        """Take note of the own share, and of whether another member leads now."""
        super().on_assignment(assignment, generation)
        if not self._leads:
            self._members = None
        self._leads = False

    def _by_partition(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return {part: self._cameras.get(part.partition, 0) for part in partitions if part.topic in self._camera_topics}


def _member(metadata: Any) -> Member:
    owned = frozenset(TopicPartition(part.topic, part.partition) for part in metadata.partitions)
    return Member(frozenset(metadata.subscription), owned)


def _by_topic(parts: Collection[TopicPartition]) -> list[tuple[str, list[int]]]:
    numbers: dict[str, list[int]] = {}
    for part in sorted(parts):
        numbers.setdefault(part.topic, []).append(part.partition)
    return sorted(numbers.items())
