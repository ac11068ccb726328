"""A write as `write.lua` takes it. Pure."""

from itertools import accumulate

from gallery.store import records
from gallery.store.layout import LAYOUT
from gallery.store.names import name_entry
from gallery.store.presence import MAX_GAP_US
from gallery.store.said import MAX_WORDS
from gallery.store.store import EXPIRE_LIMIT, JOURNAL_LENGTH, Identity, StoredTracklet, Write, microseconds


class WriteArguments:
    """The arguments of `write.lua`: msgpack of the write, and the binary values it refers to, joined.

    Redis's msgpack decoder does not support binary values. They are one argument, as the client sends each large
    argument by itself: a window has a hundred. Times in ns are sent as text, since Lua's numbers are doubles.
    """

    def __init__(self, write: Write) -> None:
        self._values: list[bytes] = []
        operation = {
            "version": write.version,
            "layout": LAYOUT,
            "gap_us": MAX_GAP_US,
            "now_ns": str(write.now_ns),
            "next_identity": write.next_identity,
            "calibration": self._add_binary(write.calibration),
            "rows": [self._row(row) for row in write.tracklets],
            "crops": [(key, self._add_binary(crop)) for key, crop in write.crops.items()],
            "moved": list(write.moved.items()),
            "revised": [(r.tracklet.tracklet_id, self._add_binary(records.encode_tracklet(r))) for r in write.revised],
            "identities": [self._identity(identity) for identity in write.identities],
            "prototypes": [
                (number, self._add_binary(records.encode_prototypes(owned)))
                for number, owned in write.prototypes.items()
            ],
            "merged": list(write.merged.items()),
            "expired": [(identity.number, identity.previous_ids) for identity in write.expired],
            "before_us": microseconds(write.expire_before_ns),
            "expire_limit": EXPIRE_LIMIT,
            "events": [self._add_binary(records.encode_event(event)) for event in write.events],
            "journal_length": JOURNAL_LENGTH,
            "words": [(said.word.word_id, self._add_binary(records.encode_word(said))) for said in write.words],
            "word_limit": MAX_WORDS,
            "formers": [(key, self._add_binary(records.encode_former(one))) for key, one in write.formers.items()],
            "erased": list(write.erased.items()),
            "lifted": list(write.lifted),
            "forgotten": list(write.forgotten),
            "why": [(key, self._add_binary(records.encode_why(why))) for key, why in write.why.items()],
        }
        ends = list(accumulate(map(len, self._values)))
        self.list = [records.pack({**operation, "ends": ends}), b"".join(self._values)]

    def _add_binary(self, value: bytes) -> int:
        self._values.append(value)
        return len(self._values)  # Lua counts from 1

    def _identity(self, identity: Identity) -> tuple[int, int, tuple[int, ...], int, str, bool, bool]:
        return (
            identity.number,
            self._add_binary(records.encode_identity(identity)),
            identity.previous_ids,
            microseconds(identity.last_ns),
            name_entry(identity),
            identity.hidden,
            identity.faded,
        )

    def _row(self, row: StoredTracklet) -> tuple[str, int, int, str, int, int, int]:
        tracklet = row.tracklet
        return (
            tracklet.tracklet_id,
            tracklet.revision,
            row.identity_id or 0,
            tracklet.camera_id,
            microseconds(tracklet.first_ns),
            microseconds(tracklet.last_ns),
            self._add_binary(records.encode_tracklet(row)),
        )
