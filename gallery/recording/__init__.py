"""Recordings: the compressed packets of cameras kept in a bounded ring of MP4 files, clips cut from it, erasure."""
