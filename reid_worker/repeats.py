"""What of a chunk is new: ingest that was restarted sends a recording again from its beginning."""

from dataclasses import dataclass

from msgspec.structs import replace

from wire.messages import FrameChunk


@dataclass(frozen=True, slots=True)
class Ended:
    """A stream that ended by itself and was analysed to its end, and when, in ns since the epoch."""

    stream_id: str
    time_ns: int


def is_repeat(chunk: FrameChunk, sent_ns: int, ended: Ended | None) -> bool:
    """Tell whether a chunk, sent at a time, belongs to a repetition of a recording that was analysed to its end.

    An ingest that starts after that does not send the recording again, unless its camera was added again: then
    it is to be analysed again, as a whole. So a repetition is one whose first chunk was sent before. A recording
    whose picture changes has several streams, numbered in order: the earlier ones have ended, too.
    """
    if ended is None or not _is_up_to(chunk.stream_id, ended.stream_id):
        return False
    return chunk.seq > 0 or sent_ns <= ended.time_ns


def _is_up_to(stream_id: str, last: str) -> bool:
    """Tell whether a stream is another, or an earlier one of the same recording."""
    name, _, number = stream_id.rpartition("-")
    of, _, most = last.rpartition("-")
    return stream_id == last or (name == of and number.isdecimal() and most.isdecimal() and int(number) <= int(most))


def not_taken(chunk: FrameChunk, next_index: int) -> FrameChunk | None:
    """Return a chunk without the packets before `next_index` of its stream; None if it has nothing else.

    A stream has the same id only if it is the same recording, whose packets have the same indices each time.
    """
    index, repeated = chunk.first_index, 0
    for packet in chunk.packets:
        if index >= next_index:
            break
        index += packet.shown
        repeated += 1
    if not repeated:
        return chunk
    if repeated == len(chunk.packets) and not chunk.ended:
        return None
    return replace(chunk, packets=chunk.packets[repeated:], first_index=index)
