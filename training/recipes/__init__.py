"""Recipes: the shipped weights, ablations, growing a network, and a short run on one GPU."""
