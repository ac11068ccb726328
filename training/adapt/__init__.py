"""Weights that learn a site nobody labelled."""
