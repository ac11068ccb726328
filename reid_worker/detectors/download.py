"""Downloads a published model file over HTTP: resumes where it was interrupted, and accepts only the right file.

Data is written to `NAME.part` beside the target, checked against the digests of the catalogue, and renamed, so that
readers see either the complete verified file or none. Proxies are taken from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`
and `NO_PROXY`, certificates from `SSL_CERT_FILE` if set.
"""

import errno
import fcntl
import itertools
import os
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import httpx

from reid_worker.detectors import explain
from reid_worker.detectors.catalogue import ModelFile
from reid_worker.detectors.files import content_of
from reid_worker.errors import DetectorError
from reid_worker.web_page import web_page

CONNECTIONS = 5  # per download, if the server closes them early
PAGE_BYTES = 4096  # enough to recognise a web page and its title
USABLE = (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT, httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE)
Progress = Callable[[int, int], None]  # bytes received, bytes in total


@dataclass(frozen=True, slots=True)
class Network:
    """How files are downloaded.

    Attributes:
        mirror: URL of a folder that holds the files of the catalogue under their names; None uses the publishers' URLs.
        connect_s: How long to wait for a name server, and for a connection.
        silence_s: How long a server may send nothing.
        patience_s: How long a whole download may take; None means without limit.
    """

    mirror: str | None = field(default=None, repr=False)  # may contain a password
    connect_s: float = 10.0
    silence_s: float = 10.0
    patience_s: float | None = None

    def address(self, model: ModelFile) -> str:
        """Return the download URL of a model."""
        return model.address if self.mirror is None else f"{self.mirror.rstrip('/')}/{model.file}"


def download(
    model: ModelFile, folders: Sequence[Path], network: Network, progress: Progress = lambda _done, _total: None
) -> Path:
    """Download a model into the first writable folder, and return its path.

    Raises:
        DetectorError: The download failed, or was not the right file; the message names cause and remedy. Only a
            `.part` file to resume from is left behind.
    """
    target = _writable(model, folders) / model.file
    url = network.address(model)
    job = _Job(model, url, network, target, progress)
    try:
        _resolve(job)
        with _client(job) as client, _part_beside(target) as part:
            _complete(client, job, part)
            os.fsync(part.fileno())
            Path(part.name).replace(target)
    except OSError as error:
        raise DetectorError(explain.disk(model, target.parent, error)) from error
    except (httpx.InvalidURL, UnicodeError) as error:
        raise DetectorError(explain.refused(model, url, "is not a valid URL", target.parent)) from error
    return target


@dataclass(frozen=True, slots=True)
class _Job:
    model: ModelFile
    url: str
    network: Network
    target: Path
    progress: Progress

    def error(self, cause: str) -> DetectorError:
        return DetectorError(explain.refused(self.model, self.url, cause, self.target.parent))


def _complete(client: httpx.Client, job: _Job, part: BinaryIO) -> None:
    """Complete the partial file; if it turns out wrong after resuming an earlier download, start over once."""
    if job.model.accepts(content_of(Path(part.name))):
        return
    if _size(part) >= max(content.size_bytes for content in job.model.contents):
        part.truncate(0)
    for last in (False, True):
        resumed = _fill(client, job, part)
        part.flush()
        found = content_of(Path(part.name))
        if job.model.accepts(found):
            return
        with Path(part.name).open("rb") as file:
            start = file.read(PAGE_BYTES)
        part.truncate(0)
        if last or not resumed:
            raise job.error(explain.wrong(job.model, found, start))


def _fill(client: httpx.Client, job: _Job, part: BinaryIO) -> bool:
    """Receive the rest of the file over as many connections as needed; tell whether an earlier part was resumed."""
    resumed, deadline = False, time.monotonic() + (job.network.patience_s or 0)
    for left in reversed(range(CONNECTIONS)):
        before = _size(part)
        try:
            with closing(_receive(client, job, part)) as steps:
                for done, total in steps:
                    job.progress(done, total)
                    resumed = resumed or done > before > 0
                    if job.network.patience_s is not None and time.monotonic() > deadline and done < total:
                        raise job.error(f"slower than {job.network.patience_s:g} s, {explain.kept(done, total)}")
        except httpx.HTTPError as error:
            part.flush()
            if isinstance(error, httpx.TimeoutException) or not left or _size(part) <= before:
                cause = explain.transport(error, job.url, job.network.connect_s, job.network.silence_s)
                raise job.error(f"{cause}{explain.so_far(_size(part), job.model)}") from error
        else:
            return resumed
    return resumed


def _receive(client: httpx.Client, job: _Job, part: BinaryIO) -> Generator[tuple[int, int]]:
    """Append one response to the partial file; yield the bytes received so far and in total."""
    offset = _size(part)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
    with client.stream("GET", job.url, headers=headers) as answer:
        if answer.status_code not in USABLE:
            raise job.error(explain.status(answer.status_code, answer.reason_phrase, job.model))
        chunks = answer.iter_raw()
        first = next(chunks, b"")
        if answer.status_code == httpx.codes.OK:
            page = web_page(first)
            if page is not None:  # checked before the partial file is truncated
                raise job.error(explain.web_page_instead(page))
        if offset and not _continues(answer, offset):
            part.truncate(0)
            if answer.status_code != httpx.codes.OK:  # its body is not the beginning of the file
                yield from _receive(client, job, part)
                return
            offset = 0
        total = offset + int(answer.headers.get("Content-Length") or job.model.size_bytes - offset)
        yield from _append(job, part, itertools.chain((first,), chunks), offset, total)


def _append(job: _Job, part: BinaryIO, chunks: Iterable[bytes], offset: int, total: int) -> Iterator[tuple[int, int]]:
    limit = 2 * max(content.size_bytes for content in job.model.contents)
    done = offset
    for chunk in chunks:
        part.write(chunk)
        done += len(chunk)
        if done > limit:
            part.truncate(0)
            raise job.error(f"the server sends more than {limit} bytes, but the file has {job.model.size_bytes}")
        yield done, total


def _continues(answer: httpx.Response, offset: int) -> bool:
    """Tell whether a response starts at the requested byte."""
    start = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return answer.status_code == httpx.codes.PARTIAL_CONTENT and bool(start == str(offset))


def _resolve(job: _Job) -> None:
    """Resolve the host before connecting, because the connection would wait long for an unresponsive name server."""
    host = urlsplit(f"//{explain.proxy_of(job.url)}").hostname or urlsplit(job.url).hostname or ""
    answered = threading.Event()

    def resolve() -> None:
        with suppress(OSError, UnicodeError):  # the connection fails too, and reports it
            socket.getaddrinfo(host, None)
        answered.set()

    threading.Thread(target=resolve, name="resolve", daemon=True).start()
    if not answered.wait(job.network.connect_s):
        raise job.error(f"no address for {host} within {job.network.connect_s:g} s: the name server does not answer")


def _client(job: _Job) -> httpx.Client:
    timeout = httpx.Timeout(job.network.silence_s, connect=job.network.connect_s)
    try:
        return httpx.Client(timeout=timeout, follow_redirects=True)
    except (
        ImportError,
        ValueError,
        httpx.InvalidURL,
    ) as error:  # a SOCKS or unknown proxy; the original message may show a password
        raise job.error(explain.PROXY_UNUSABLE) from error
    except OSError as error:
        raise job.error(f"certificates of SSL_CERT_FILE or SSL_CERT_DIR: {error.strerror or error}") from error


def _writable(model: ModelFile, folders: Sequence[Path]) -> Path:
    failed: list[str] = []
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _part_beside(folder / model.file):
                return folder
        except OSError as error:
            if error.errno in explain.FULL:
                raise DetectorError(explain.disk(model, folder, error)) from error
            failed.append(f"{folder}: {error.strerror}")
    raise DetectorError(explain.read_only(model, failed))


@contextmanager
def _part_beside(target: Path) -> Iterator[BinaryIO]:
    """Open the partial file exclusively for appending; if another process is using it, open a separate one.

    The partial file is removed at the end if it is empty, or if the disk is full, to free its space.
    """
    part = target.with_name(f"{target.name}.part")
    file, shared = part.open("a+b"), True
    if not _lock(file):
        file.close()
        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        file, shared = part.open("w+b"), False
    keep = shared
    try:
        yield file
        file.flush()
    except OSError as error:
        keep = keep and error.errno not in explain.FULL
        raise
    finally:
        _close(file, part, keep=keep)


def _close(file: BinaryIO, part: Path, *, keep: bool) -> None:
    try:
        file.flush()
    except OSError:  # already being reported
        keep = False
    if part.exists() and os.path.samestat(os.fstat(file.fileno()), part.stat()):  # otherwise it has been renamed
        empty = part.stat().st_size == 0
        if empty or not keep:
            part.unlink()  # before the lock is released, so that no other process opens it meanwhile
    with suppress(OSError):
        file.close()


def _lock(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(file.fileno()), Path(file.name).stat())  # false if its owner just renamed it
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise


def _size(part: BinaryIO) -> int:
    return part.seek(0, os.SEEK_END)
