"""Live views of cameras: their packets remuxed for browsers, and the boxes that the worker found in them."""
