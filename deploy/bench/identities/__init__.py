"""How well people are told apart: generated sites with exact truth, a gallery with and without each of its parts."""
