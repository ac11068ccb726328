"""The error hierarchy of this package.

WireError
├── DecodeError       bytes that are not a valid message, or of an unknown schema: a dead letter, never retried
├── PermanentError    a record that can never succeed: a dead letter, never retried
├── TransientError    a server (broker, Redis) is unavailable: the same batch is retried after a pause
│   └── BusFull       a bounded bus is full: a live source drops its oldest frames, a file waits
├── SettingsError     a setting is unknown or invalid: the command ends with exit code 2
└── TextError         a text file is not UTF-8, or is binary
"""


class WireError(Exception):
    """Base of all errors of this package."""


class DecodeError(WireError):
    """Raised when bytes are not a message of a known schema."""


class PermanentError(WireError):
    """Raised when a record can never succeed, however often it is retried."""


class TransientError(WireError):
    """Raised when the same call may succeed later, because a server is unavailable or busy."""


class BusFull(TransientError):  # noqa: N818 - it reads as the state it reports
    """Raised when a bounded topic has no room for another record."""


class SettingsError(WireError):
    """Raised when a setting is unknown, of the wrong type or out of range; names the key, value and what is allowed."""


class TextError(WireError):
    """Raised when a text file is not UTF-8; names file, line and likely encoding, and how to convert it."""
