"""The worker: turns frames into tracklets, with one CLIMB embedding each."""

import os

import wire  # noqa: F401  # it keeps NumPy, loaded later, from starting a thread for each core

# From 1.29 on, onnxruntime reports to its publisher from the moment that it is imported, and keeps a number of this
# machine in the user's cache. Nothing leaves a site without being asked for; who sets the variable to 0 has asked.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
