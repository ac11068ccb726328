"""Every way the worker can fail.

WorkerError
├── DetectorError   no detector can be loaded; says what was tried and what to do. It is a SettingsError too
├── EmbeddingError  the network gave NaN or infinite numbers; the worker ends before it commits, so no crop is lost
└── StateError      a saved state is not one of ours, or of another layout; the camera starts afresh
"""

from wire.errors import SettingsError, WireError


class WorkerError(WireError):
    """Base of all errors of this package; a `WireError`, so that every command ends on it in one line."""


class DetectorError(WorkerError, SettingsError):
    """Raised when the detector that was asked for cannot be loaded; ends a command like any wrong setting."""


class EmbeddingError(WorkerError):
    """Raised when the network gives NaN or infinite numbers: it would do so again, and nobody may compare them."""


class StateError(WorkerError):
    """Raised when a saved state cannot be read."""
