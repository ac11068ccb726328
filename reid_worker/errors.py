"""The error hierarchy of this package.

WorkerError
├── DetectorError   no detector can be loaded; says what was tried and what to do. Also a SettingsError
├── EmbeddingError  the network returned NaN or infinite numbers; the worker ends before it commits, so no crop is lost
├── PictureError    a picture that somebody searches with cannot be used; who asked is told
└── StateError      a saved state is invalid or has another layout; the camera starts afresh
"""

from wire.errors import SettingsError, WireError


class WorkerError(WireError):
    """Base of all errors of this package; a `WireError`, so that commands report it in one line."""


class DetectorError(WorkerError, SettingsError):
    """Raised when the configured detector cannot be loaded; ends a command like any invalid setting."""


class EmbeddingError(WorkerError):
    """Raised when the network returns NaN or infinite numbers: a retry would too, and they must not be compared."""


class PictureError(WorkerError):
    """Raised when people cannot be found in a picture that somebody sent; says why, and what to do."""


class StateError(WorkerError):
    """Raised when a saved state cannot be read."""
