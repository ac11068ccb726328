"""From data to weights: the training loop, its losses and memories, and the evaluation of the result."""

import reid_worker  # noqa: F401 - it silences onnxruntime, which some modules here import first
