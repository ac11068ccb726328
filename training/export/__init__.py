"""Export of the network to ONNX for other runtimes."""
