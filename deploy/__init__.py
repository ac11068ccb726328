"""The command line, the single-process system, and the code that starts servers."""
