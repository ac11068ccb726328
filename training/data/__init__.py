"""Loaders for person re-identification data sets as they are laid out on disk, one module per data set."""
