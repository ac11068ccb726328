"""The whole system in one process, on one machine."""
