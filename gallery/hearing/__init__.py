"""Carries out what people say about the identities of a site."""
