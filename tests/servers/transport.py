"""A camera of tests that sends an MPEG transport stream over UDP, as encoders and multicast systems do."""

import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import av
import numpy as np

CELLS = 7  # of 188 bytes in a datagram
FPS = 30
Damage = Callable[[list[bytes]], list[bytes]]


class _Parts:
    """What libav writes, split where the next frame begins."""

    def __init__(self) -> None:
        self.parts: list[bytes] = [b""]

    def write(self, data: bytes) -> int:
        self.parts[-1] += bytes(data)
        return len(data)

    def next(self) -> bytes:
        self.parts.append(b"")
        return self.parts[-2]


def frames_of(
    seconds: float, *, size: tuple[int, int] = (320, 240), first: int = 0, keyframes: bool = True
) -> list[list[bytes]]:
    """Return the datagrams of each frame at 30 fps, numbered from `first`, with a keyframe every half second."""
    noise = np.random.default_rng(1).integers(0, 64, (*size[::-1], 3), dtype=np.uint8)
    sink, found = _Parts(), []
    with av.open(sink, "w", format="mpegts", options={"flush_packets": "1"}) as container:
        options = {"g": "15", "tune": "zerolatency", "x264-params": "scenecut=0"}
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(first, first + round(seconds * FPS)):
            image = np.roll(noise, number, axis=1)
            image[:, number % size[0]] = 255
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts = number
            packets = [packet for packet in stream.encode(frame) if keyframes or not packet.is_keyframe]
            container.mux(packets)
            found.append(_datagrams(sink.next()))
    return found


def _datagrams(data: bytes) -> list[bytes]:
    size = CELLS * 188
    return [data[at : at + size] for at in range(0, len(data), size)]


def losing(share: float) -> Damage:
    """Lose this share of the datagrams."""
    chance = random.Random(1)
    return lambda datagrams: [one for one in datagrams if chance.random() >= share]


def swapping(datagrams: list[bytes]) -> list[bytes]:
    """Send the datagrams of a frame in the opposite order."""
    return datagrams[::-1]


def flipping(share: float) -> Damage:
    """Change one byte in this share of the datagrams."""
    chance = random.Random(2)

    def damage(datagrams: list[bytes]) -> list[bytes]:
        found = []
        for datagram in datagrams:
            changed = bytearray(datagram)
            if chance.random() < share:
                changed[chance.randrange(200, len(changed) - 1) if len(changed) > 400 else -1] ^= 0x55
            found.append(bytes(changed))
        return found

    return damage


@contextmanager
def sending(
    to: tuple[str, int], frames: list[list[bytes]], damage: Damage = lambda datagrams: datagrams
) -> Iterator[None]:
    """Send a stream in real time until the block ends or the stream does."""
    stop = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        thread = threading.Thread(target=_send, args=(sender, to, frames, damage, stop))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def _send(
    sender: socket.socket, to: tuple[str, int], frames: list[list[bytes]], damage: Damage, stop: threading.Event
) -> None:
    for frame in frames:
        for datagram in damage(frame):
            sender.sendto(datagram, to)
        if stop.wait(1 / FPS):
            return
