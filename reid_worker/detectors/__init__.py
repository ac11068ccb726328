"""Finding people in frames: what a detector is, the kinds there are, and where their model files come from."""
