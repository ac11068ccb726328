"""What of a chunk is new: ingest that was restarted sends a recording again from its beginning."""

from msgspec.structs import replace

from wire.messages import FrameChunk


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
