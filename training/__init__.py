"""From data to weights: the training loop, its losses and memories, and the evaluation of the result."""
