"""How it runs: the command line, everything in one process, and what starts servers."""
