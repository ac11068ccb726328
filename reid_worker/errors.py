"""Every way the worker can fail.

WorkerError
├── DetectorError   no detector can be loaded; says what was tried and what to do
└── StateError      a saved state is not one of ours, or of another layout; the camera starts afresh
"""

from wire.errors import WireError


class WorkerError(WireError):
    """Base of all errors of this package; a `WireError`, so that every command ends on it in one line."""


class DetectorError(WorkerError):
    """Raised when the detector that was asked for cannot be loaded."""


class StateError(WorkerError):
    """Raised when a saved state cannot be read."""
