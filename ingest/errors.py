"""The ways a camera can fail. Messages name the cause for the user and never contain the camera's URL.

IngestError
└── SourceError
    ├── NotFound        no such file, folder, stream or device
    ├── AccessDenied    user or password refused, or no permission: retried slowly, as cameras lock accounts
    ├── Unreachable     nothing answers at the address
    ├── NoVideo         the source exists but is not a video that can be read
    ├── Stalled         the connection is open but delivers nothing more
    └── Broken          the connection broke, or the rest of a file cannot be read
"""


class IngestError(Exception):
    """Base of all errors of this package."""


class SourceError(IngestError):
    """Base of all errors of a source."""


class NotFound(SourceError):  # noqa: N818 - these read as the cause they report
    """Raised when there is no such file, folder, stream or device."""


class AccessDenied(SourceError):  # noqa: N818
    """Raised when user and password, or a file's permissions, deny access."""


class Unreachable(SourceError):  # noqa: N818
    """Raised when nothing answers at the address."""


class NoVideo(SourceError):  # noqa: N818
    """Raised when a source is not a video that can be read."""


class Stalled(SourceError):  # noqa: N818
    """Raised when no data arrived within the read timeout."""


class Broken(SourceError):  # noqa: N818
    """Raised when a source that delivered frames cannot be read any further."""
