"""Serialisation of stored values: the codec of `wire` for messages, in msgpack records."""

from collections.abc import Sequence
from typing import Any, Literal, cast

import msgspec
import numpy as np
from msgspec.structs import replace

from gallery.store.said import Former, StoredWord
from gallery.store.store import Identity, Prototype, StoredProgress, StoredTracklet
from gallery.store.why import Why
from wire import codec
from wire.messages import CameraProgress, IdentityEvent, Tracklet

_encoder = msgspec.msgpack.Encoder()


class _Row(msgspec.Struct, array_like=True):
    tracklet: bytes
    probability: float
    event: bytes | None


class _StoredPrototype(msgspec.Struct, array_like=True):
    kind: Literal["mean", "hard"]
    camera_id: str
    model_id: str
    vector: bytes
    weight: float
    tracklet_id: str


class _Progress(msgspec.Struct, array_like=True):
    progress: bytes
    offset: int
    sent_ns: int
    reports: tuple[tuple[int, int], ...] = ()


def pack(value: Any) -> bytes:
    """Return plain values as msgpack, as the Lua scripts expect."""
    return _encoder.encode(value)


def encode_tracklet(row: StoredTracklet) -> bytes:
    """Serialise a row without its owner and crop, which are stored separately."""
    event = None if row.event is None else codec.encode(row.event)
    return pack(_Row(codec.encode(replace(row.tracklet, crop=b"")), row.probability, event))


def decode_tracklet(data: bytes, identity_id: int | None) -> StoredTracklet:
    """Return the row that `encode_tracklet` serialised, with its owner."""
    row = msgspec.msgpack.decode(data, type=_Row)
    event = None if row.event is None else decode_event(row.event)
    return StoredTracklet(cast("Tracklet", codec.decode(row.tracklet)), identity_id, row.probability, event)


def encode_event(event: IdentityEvent) -> bytes:
    """Serialise an event."""
    return codec.encode(event)


def decode_event(data: bytes) -> IdentityEvent:
    """Return the event that `encode_event` serialised."""
    return cast("IdentityEvent", codec.decode(data))


def encode_identity(identity: Identity) -> bytes:
    """Serialise an identity."""
    return pack(identity)


def decode_identity(data: bytes) -> Identity:
    """Return the identity that `encode_identity` serialised."""
    return msgspec.msgpack.decode(data, type=Identity)


def encode_prototypes(prototypes: Sequence[Prototype]) -> bytes:
    """Serialise an identity's prototypes."""
    return pack(
        [
            _StoredPrototype(p.kind, p.camera_id, p.model_id, p.vector.astype("<f4").tobytes(), p.weight, p.tracklet_id)
            for p in prototypes
        ]
    )


def decode_prototypes(data: bytes) -> tuple[Prototype, ...]:
    """Return the prototypes that `encode_prototypes` serialised."""
    owned = msgspec.msgpack.decode(data, type=list[_StoredPrototype])
    return tuple(
        Prototype(
            p.kind, p.camera_id, p.model_id, np.frombuffer(p.vector, "<f4").astype(np.float32), p.weight, p.tracklet_id
        )
        for p in owned
    )


def models_of(data: bytes) -> set[str]:
    """Return the models of the prototypes that `encode_prototypes` serialised."""
    return {model_id for _, _, model_id, *_ in msgspec.msgpack.decode(data)}


def encode_progress(stored: StoredProgress) -> bytes:
    """Serialise a camera's progress."""
    return pack(_Progress(codec.encode(stored.progress), stored.offset, stored.sent_ns, stored.reports))


def decode_progress(data: bytes) -> StoredProgress:
    """Return the progress that `encode_progress` serialised."""
    stored = msgspec.msgpack.decode(data, type=_Progress)
    progress = cast("CameraProgress", codec.decode(stored.progress))
    return StoredProgress(progress, stored.offset, stored.sent_ns, stored.reports)


def encode_word(said: StoredWord) -> bytes:
    """Serialise a word of the journal."""
    return pack(said)


def decode_word(data: bytes) -> StoredWord:
    """Return the word that `encode_word` serialised."""
    return msgspec.msgpack.decode(data, type=StoredWord)


def encode_former(former: Sequence[Former]) -> bytes:
    """Serialise what undoing a word needs."""
    return pack(former)


def decode_former(data: bytes) -> list[Former]:
    """Return what `encode_former` serialised."""
    return msgspec.msgpack.decode(data, type=list[Former])


def encode_why(why: Why) -> bytes:
    """Serialise an explanation."""
    return pack(why)


def decode_why(data: bytes) -> Why:
    """Return the explanation that `encode_why` serialised."""
    return msgspec.msgpack.decode(data, type=Why)
