"""Benchmarks of the components and of the whole pipeline on this machine."""
