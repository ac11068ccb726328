"""Opens addresses whose bounds are stated: what libav opens by itself, it opens here, after a check.

libav follows redirects, and opens what playlists name. With bounds it does neither: every address that it wants to read
comes through `Within`, is checked, and is opened without following redirects, which are followed here, one by one.
"""

import errno
import io
import os
from collections.abc import Callable, Iterator
from typing import Any, Union
from urllib.parse import urljoin

import av

from ingest.config import IngestSettings
from ingest.errors import AccessDenied, Broken, SourceError
from ingest.sources.connect import ALONE, options_of
from ingest.sources.redirect import rtsp_target_of, target_of
from wire.bounds import STRAIGHT, Bounds, OutOfBounds
from wire.url import Url, UrlError, read_url

MOST_REDIRECTS = 5
BESIDE = "put it where its playlist says, or add that file itself"
TOO_MANY = f"it redirects more than {MOST_REDIRECTS} times"
PLAYLIST = {"http_persistent": "0"}  # of HLS: libav ends the process where it would reuse a connection of ours
LARGE = {"raw_packet_size": str(32 * 1024)}  # of raw data, which comes in packets of 1 kB otherwise

Readable = Union[io.RawIOBase, io.BytesIO, "_Bytes"]
Failure = Callable[[av.FFmpegError, Url], Exception]


class Within:
    """Opens what an address leads to, as far as its bounds allow."""

    def __init__(self, bounds: Bounds, settings: IngestSettings, failure: Failure) -> None:
        self._bounds = bounds
        self._settings = settings
        self._failure = failure

    def bytes_of(self, address: Url, offset: int = 0) -> tuple[Any, Url]:
        """Open the bytes of a web address from an offset, after its redirects; return them and where they are.

        Raises:
            SourceError: It cannot be opened, or leads out of the bounds.
        """
        for _ in range(1 + MOST_REDIRECTS):
            try:
                return self._opened(address, offset), address
            except av.FFmpegError as error:
                target = target_of(address, self._settings) if error.errno == errno.EIO else None
                if target is None:
                    raise self._failure(error, address) from None
                address = self._checked(urljoin(address.without_transport().quoted(), target))
        raise Broken(TOO_MANY, STRAIGHT)

    def opener(self) -> "Opener":
        """Return what opens for libav the address itself, and what a playlist at it names."""
        return Opener(self._web)

    def check_rtsp(self, address: Url) -> None:
        """Check where an RTSP address redirects to.

        Raises:
            AccessDenied: It leads out of the bounds.
        """
        target = rtsp_target_of(address, self._settings)
        if target is None:
            return
        try:
            self._bounds.check_host(read_url(target).host)
        except UrlError:
            raise AccessDenied("it redirects to something that is no address", STRAIGHT) from None
        except OutOfBounds as error:
            raise AccessDenied(f"it leads to {read_url(target).address}: {error.cause}", error.remedy) from None

    def _web(self, url: str) -> "_Bytes":
        container, address = self.bytes_of(self._checked(url))
        if container.size <= 0:
            return _Bytes(container)
        return _SeekableBytes(container, lambda offset: self._opened(address, offset))

    def _checked(self, url: str) -> Url:
        try:
            self._bounds.check_led(url)
        except OutOfBounds as error:
            raise AccessDenied(error.cause, error.remedy) from None
        return read_url(url)

    def _opened(self, address: Url, offset: int) -> Any:
        options = options_of(address, self._settings) | ALONE | LARGE | ({"offset": str(offset)} if offset else {})
        patience_s = (self._settings.connect_timeout_s, self._settings.read_timeout_s)
        return av.open(address.quoted(), format="data", options=options, timeout=patience_s)


def file_opener(bounds: Bounds) -> "Opener":
    """Return what opens a file for libav, and what a playlist in it names, as far as the bounds allow."""

    def opened(url: str) -> Readable:
        path = url.removeprefix("file:")
        try:
            bounds.check_path(path)
            return _File(path)
        except OutOfBounds as error:
            raise AccessDenied(error.cause, error.remedy) from None
        except OSError as error:
            raise Broken(f"a file that it names cannot be read: {error.strerror}", BESIDE) from None

    return Opener(opened)


class Opener:
    """Opens for libav, and gives it nothing to read after a refusal.

    libav goes on to the next address of a playlist, and PyAV raises one exception after that and prints the others. An
    address that is allowed and cannot be read is passed over, as libav does.
    """

    def __init__(self, opened: Callable[[str], Readable]) -> None:
        self._opened = opened
        self._open: list[Readable] = []
        self._refused = False

    def __call__(self, url: str, _flags: int, _options: dict[str, str]) -> Readable:
        """Open what libav wants to read."""
        if self._refused:
            return io.BytesIO()
        try:
            found = self._opened(url)
        except SourceError as error:
            if self._open and not isinstance(error, AccessDenied):
                return io.BytesIO()
            self._refused = True
            raise
        self._open.append(found)
        return found

    def container(self, url: str, **options: Any) -> Any:
        """Open a container through this."""
        try:
            return av.open(url, io_open=self, **options)
        except Exception:
            for one in self._open:  # PyAV closes them only with a container
                one.close()
            raise


class _File(io.FileIO):
    """A file that is closed with the container that reads it, which PyAV does not do."""

    def __del__(self) -> None:
        self.close()


class _Bytes:
    """What a web server sends, as libav reads a file of ours."""

    _container: Any
    _packets: Iterator[bytes]
    _left: bytes

    def __init__(self, container: Any) -> None:
        self._open(container)

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end."""
        while not self._left:
            self._left = next(self._packets, b"")
            if not self._left:
                return b""
        data, self._left = self._left[:size], self._left[size:]
        return data

    def __del__(self) -> None:
        self.close()  # PyAV does not

    def _open(self, container: Any) -> None:
        self._container = container
        self._packets = (bytes(packet) for packet in container.demux())
        self._left = b""

    def close(self) -> None:
        """Close the connection."""
        self._packets = iter(())  # of a closed container, PyAV reads memory that is gone
        self._container.close()


class _SeekableBytes(_Bytes):
    """The same of a file of a known size, which is requested anew from where libav wants to go on."""

    def __init__(self, container: Any, reopened: Callable[[int], Any]) -> None:
        super().__init__(container)
        self._size = int(container.size)
        self._reopened = reopened
        self._at = self._next = 0  # where libav reads next, and which byte the server sends next

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end."""
        if self._at >= self._size:
            return b""
        if self._at != self._next:
            self._go()
        data = super().read(size)
        self._at += len(data)
        self._next = self._at
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; return it."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._at

    def _go(self) -> None:
        self.close()
        skipped = 0
        try:
            container = self._reopened(self._at)
        except av.FFmpegError:  # a server that knows no ranges
            container, skipped = self._reopened(0), self._at
        self._open(container)
        while skipped > 0 and (data := super().read(skipped)):
            skipped -= len(data)
