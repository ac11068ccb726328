"""Annotated videos: the recordings of a run with a box, a number and a short trail for everyone."""
