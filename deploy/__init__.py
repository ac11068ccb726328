"""The command line, the single-process system, and the code that starts servers."""

import wire  # noqa: F401  # it keeps NumPy, loaded later, from starting a thread for each core
