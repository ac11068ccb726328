"""Reads cameras and forwards their compressed frames unchanged; decodes only what could not be decoded later."""

import wire  # noqa: F401  # it keeps NumPy, loaded later, from starting a thread for each core
