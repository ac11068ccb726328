"""Every way the wire can fail.

WireError
├── DecodeError       bytes that are no message of ours, or of a schema we do not know: a dead letter, never retried
├── PermanentError    a record that can never succeed: a dead letter, never retried
├── TransientError    somebody else is away (broker, Redis): the same batch is tried again after a pause
│   └── BusFull       a bounded bus has no room: a live source drops its oldest, a file waits
├── SettingsError     a setting is unknown or wrong: the command ends with exit code 2
└── TextError         a text file is in another encoding than UTF-8, or is binary
"""


class WireError(Exception):
    """Base of all errors of this package."""


class DecodeError(WireError):
    """Raised when bytes are not a message of a known schema."""


class PermanentError(WireError):
    """Raised when a record can never succeed, however often it is tried."""


class TransientError(WireError):
    """Raised when the same call may succeed later, because a server is away or busy."""


class BusFull(TransientError):  # noqa: N818 - it reads as the state it reports
    """Raised when a bounded topic has no room for another record."""


class SettingsError(WireError):
    """Raised when a setting is unknown, of the wrong type or out of range; names key, value and what is allowed."""


class TextError(WireError):
    """Raised when a text file is not UTF-8; names file and line, what it seems to be, and how to convert it."""
