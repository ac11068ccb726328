"""Every way the gallery can fail.

GalleryError
├── StoreConflict     (also a TransientError) somebody else wrote this site since it was loaded: load it again
├── StoreUnavailable  (also a TransientError) Redis is away, or takes nothing now: try again after a pause
├── StoreRefused      (also a SettingsError) Redis does not let us in, or not do what we need: waiting does not help
└── ScoreError        a folder of tracking results or of ground truth cannot be read
"""

from wire.errors import SettingsError, TransientError


class GalleryError(Exception):
    """Base of all errors of this package."""


class StoreConflict(GalleryError, TransientError):  # noqa: N818 - it reads as the state it reports
    """Raised when a site has been written by another process since it was loaded."""


class StoreUnavailable(GalleryError, TransientError):  # noqa: N818 - it reads as the state it reports
    """Raised when the server of the store is away, busy or takes no writes; the message never holds a password."""


class StoreRefused(GalleryError, SettingsError):  # noqa: N818 - it reads as the state it reports
    """Raised when the server of the store refuses our user, our certificate or what we ask; never holds a password."""


class ScoreError(GalleryError):
    """Raised when results cannot be compared: a missing folder, or a line that is no MOTChallenge row."""
