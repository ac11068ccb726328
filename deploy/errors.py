"""Every way a command can end badly.

DeployError
├── UsageError       the command was asked for something impossible: exit code 2
└── RunError         it was asked well and failed: exit code 1
"""


class DeployError(Exception):
    """Base of all errors of this package; the text is what a user reads."""

    exit_code = 1


class UsageError(DeployError):
    """Raised when an option or argument cannot be meant; names it, its value and what is allowed."""

    exit_code = 2


class RunError(DeployError):
    """Raised when the work itself failed."""
