"""Adapt weights to a site without labels."""
