"""Appearance models of others, in ONNX files that take image crops, in place of the CLIMB network."""
