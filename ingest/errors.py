"""Every way a camera can fail to deliver. The text is a cause for a human and never holds the camera's URL.

IngestError
└── SourceError
    ├── NotFound        no such file, folder, stream or device
    ├── AccessDenied    user or password refused, or no permission: retried slowly, cameras lock accounts
    ├── Unreachable     nobody answers at the address
    ├── NoVideo         something is there, and it is no video that we can read
    ├── Stalled         the connection stands and nothing comes any more
    └── Broken          the connection broke, or the rest of a file cannot be read
"""


class IngestError(Exception):
    """Base of all errors of this package."""


class SourceError(IngestError):
    """Base of what can be wrong with a source."""


class NotFound(SourceError):  # noqa: N818 - these read as the cause they report
    """Raised when there is no such file, folder, stream or device."""


class AccessDenied(SourceError):  # noqa: N818
    """Raised when user and password, or a file's permissions, do not let us in."""


class Unreachable(SourceError):  # noqa: N818
    """Raised when nobody answers at the address."""


class NoVideo(SourceError):  # noqa: N818
    """Raised when what is there is no video."""


class Stalled(SourceError):  # noqa: N818
    """Raised when nothing came for longer than the read timeout."""


class Broken(SourceError):  # noqa: N818
    """Raised when a source that delivered cannot be read any further."""
