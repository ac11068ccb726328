"""Every way the gallery can fail.

GalleryError
├── StoreConflict     (also a TransientError) somebody else wrote this site since it was loaded: load it again
├── StoreUnavailable  (also a TransientError) Redis is away or refuses us: try again after a pause
└── ScoreError        a folder of tracking results or of ground truth cannot be read
"""

from wire.errors import TransientError


class GalleryError(Exception):
    """Base of all errors of this package."""


class StoreConflict(GalleryError, TransientError):  # noqa: N818 - it reads as the state it reports
    """Raised when a site has been written by another process since it was loaded."""


class StoreUnavailable(GalleryError, TransientError):  # noqa: N818 - it reads as the state it reports
    """Raised when the server of the store is away, busy or refuses us; the message never holds a password."""


class ScoreError(GalleryError):
    """Raised when results cannot be compared: a missing folder, or a line that is no MOTChallenge row."""
