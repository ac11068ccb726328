"""Backups of a site: one file with everything that Redis holds of it, made while the galleries go on."""
