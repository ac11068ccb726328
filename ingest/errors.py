"""The ways a camera can fail. Messages name the cause for the user and never contain the camera's URL.

Every cause has its remedy: one of its own, or the usual one of its class.

IngestError
└── SourceError
    ├── NotFound        no such file, folder, stream or device
    ├── AccessDenied    user or password refused, or no permission: retried slowly, as cameras lock accounts
    ├── Unreachable     nothing answers at the address
    ├── NoVideo         the source exists but is not a video that can be read
    ├── Stalled         the connection is open but delivers nothing more
    └── Broken          the connection broke, or the rest of a file cannot be read
"""

from typing import ClassVar

NO_FRAMES, NOT_PLAYED = "it contains no frames", "check in another program whether it can be played"


class IngestError(Exception):
    """Base of all errors of this package."""


class SourceError(IngestError):
    """Base of all errors of a source.

    Args:
        cause: What is wrong.
        remedy: What to do about it, where that is more than the usual remedy of the class.
    """

    usual_remedy: ClassVar[str] = "check the address of the camera, and try it in another program"

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(f"{cause}; {remedy}" if remedy else cause)
        self._own_remedy = bool(remedy)

    def explained(self) -> str:
        """Return cause and remedy, for a user."""
        return str(self) if self._own_remedy else f"{self}; {self.usual_remedy}"


class NotFound(SourceError):  # noqa: N818 - these read as the cause they report
    """Raised when there is no such file, folder, stream or device."""

    usual_remedy = "check the path, which the camera's manual or `climbtrack cameras discover` names"


class AccessDenied(SourceError):  # noqa: N818
    """Raised when user and password, or a file's permissions, deny access."""

    usual_remedy = "check the user and the password in the address, and that this user may watch the stream"


class Unreachable(SourceError):  # noqa: N818
    """Raised when nothing answers at the address."""

    usual_remedy = "check the address and the port, and that the camera is switched on and on the same network"


class NoVideo(SourceError):  # noqa: N818
    """Raised when a source is not a video that can be read."""

    usual_remedy = "check the path and the kind of stream: RTSP, HTTP with H.264, HEVC or JPEG, or a video file"


class Stalled(SourceError):  # noqa: N818
    """Raised when no data arrived within the read timeout."""

    usual_remedy = "check in another program whether the camera shows a picture, and restart it if it does not"


class Broken(SourceError):  # noqa: N818
    """Raised when a source that delivered frames cannot be read any further."""

    usual_remedy = "check the cable or the Wi-Fi of the camera if this happens often, or copy the file again"
