"""Everything in one process, on one machine."""
