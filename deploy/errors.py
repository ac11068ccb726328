"""The errors that end a command.

DeployError
├── UsageError       invalid options or arguments: exit code 2
└── RunError         a valid request failed: exit code 1
"""


class DeployError(Exception):
    """Base of all errors in this package; the message is shown to the user."""

    exit_code = 1


class UsageError(DeployError):
    """Raised when an option or argument is invalid; the message names it, its value and what is allowed."""

    exit_code = 2


class RunError(DeployError):
    """Raised when a valid request failed."""
