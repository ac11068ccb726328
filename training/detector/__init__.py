"""The bundled person detector: what it is trained on, its network, its training, and what it is worth."""
