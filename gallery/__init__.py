"""The third stage: assigns one identity per person of a site to the tracklets of all its cameras."""

import wire  # noqa: F401  # it keeps NumPy, loaded later, from starting a thread for each core
