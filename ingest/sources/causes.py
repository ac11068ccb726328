"""Translates errors of libav. Unlike libav's messages, the translations never contain the URL."""

import errno

import av

from ingest.config import IngestSettings
from ingest.errors import AccessDenied, Broken, NotFound, NoVideo, SourceError, Stalled, Unreachable

FEW_VIEWERS = "restart the camera; many serve few viewers at a time, so close other programs that watch it"
_CAUSES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], type[SourceError], str, str], ...] = (
    ((av.HTTPUnauthorizedError, av.HTTPForbiddenError), AccessDenied, "user or password refused", ""),
    (av.HTTPClientError, NotFound, "there is no such stream at this address", ""),
    (
        av.HTTPServerError,
        Unreachable,
        "it answers that it cannot serve anybody at the moment",
        FEW_VIEWERS,
    ),
    (PermissionError, AccessDenied, "no permission to read it", "let the user that climbtrack runs as read it"),
    (FileNotFoundError, NotFound, "it does not exist", ""),
    (
        av.InvalidDataError,
        NoVideo,
        "it is not a video that can be read, or it was cut off before its index was written",
        "play it in another program, and copy it again if that fails too",
    ),
)
_UNREACHABLE = frozenset(  # libavformat reports EIO if a host name cannot be resolved
    {errno.EIO, errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT}
)


def cause(error: av.FFmpegError, settings: IngestSettings, *, opening: bool) -> SourceError:
    """Translate an error of libav; `opening` is true if the source was not open yet."""
    if isinstance(error, av.ExitError | TimeoutError):
        if opening:
            return Unreachable(f"no answer within {settings.connect_timeout_s:g} s")
        return silence(settings)
    for errors, kind, text, remedy in _CAUSES:
        if isinstance(error, errors):
            return kind(text, remedy)
    if not opening:
        return _broken(error)
    if error.errno in _UNREACHABLE:
        return Unreachable(f"cannot be reached: {error.strerror}")
    return SourceError(f"cannot be opened: {error.strerror}")


def _broken(error: av.FFmpegError) -> Broken:
    if error.errno == errno.ENODEV:
        return Broken("the camera was unplugged", "plug it in again, or check its cable")
    return Broken(f"the connection broke: {error.strerror}")


def silence(settings: IngestSettings) -> Stalled:
    """Return what is wrong with a source that no longer delivers anything."""
    return Stalled(f"no data for {settings.read_timeout_s:g} s")
