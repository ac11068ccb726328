"""Evaluation of embeddings: standard metrics, re-ranking, and visualisations."""
