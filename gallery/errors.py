"""Errors of the gallery.

GalleryError
├── StoreConflict     (also a TransientError) another process wrote this site since it was loaded: reload it
├── StoreUnavailable  (also a TransientError) Redis is unreachable, or rejects writes for now: retry after a pause
├── StoreRefused      (also a SettingsError) Redis refuses access or a command: retrying does not help
├── NoAnswer          nobody answered a search or a test in time
├── TooManySearches   as many searches as are served at once are waiting already
├── CannotSearch      nothing can be sent to the networks in which cameras are looked for
├── TooManyVisits     the time that is asked for has more tracks than are read for one answer
├── TooManyClips      as many clips of recordings are being cut as are at once
├── BackupError       a backup cannot be made, read or restored
├── NothingLearnt     a site was never decided, or what it learnt is in the form of another version
└── ScoreError        a folder of tracking results or of ground truth cannot be read
"""

from wire.errors import SettingsError, TransientError


class GalleryError(Exception):
    """Base of all errors of this package."""


class StoreConflict(GalleryError, TransientError):  # noqa: N818 - it reads as the state it reports
    """Raised when another process has written a site since it was loaded."""


class StoreUnavailable(GalleryError, TransientError):  # noqa: N818 - it reads as the state it reports
    """Raised when Redis is unreachable, busy or rejects writes for now; the message never contains a password."""


class StoreRefused(GalleryError, SettingsError):  # noqa: N818 - it reads as the state it reports
    """Raised when Redis refuses the user, certificate or command; the message never contains a password."""


class NothingLearnt(GalleryError):  # noqa: N818 - it reads as the state it reports
    """Raised when there is nothing to show of what a site has learnt; the message names the remedy."""


class NoAnswer(GalleryError):  # noqa: N818 - it reads as the state it reports
    """Raised when no answer to a search or a test has come."""

    def __init__(self, waited_s: float, who: str) -> None:
        super().__init__(f"no answer within {waited_s:g} s: is {who}, and keeping up? Health says so")


class TooManySearches(GalleryError):  # noqa: N818 - it reads as the state it reports
    """Raised when too many searches are waiting for their answers."""

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} searches are waiting for their answers, which is the most: try again in a moment")


class CannotSearch(GalleryError):  # noqa: N818 - it reads as the state it reports
    """Raised when nothing can be sent to the networks in which cameras are looked for."""


class TooManyVisits(GalleryError):  # noqa: N818 - it reads as the state it reports
    """Raised when a time has too many tracks to be counted."""

    def __init__(self, most: int) -> None:
        super().__init__(f"there are more than {most:,} tracks in this time: ask for a shorter one, or for one camera")


class TooManyClips(GalleryError):  # noqa: N818 - it reads as the state it reports
    """Raised when too many clips are being cut."""

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} clips are being cut, which is the most at once: try again in a moment")


class BackupError(GalleryError):
    """Raised when a backup cannot be made, read or restored; the message names the remedy."""


class ScoreError(GalleryError):
    """Raised when results cannot be compared: a missing folder, or a line that is not a MOTChallenge row."""
