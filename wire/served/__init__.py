"""The bus of one process, for the other processes of one machine that it starts."""
