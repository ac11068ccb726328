"""Alerts: decides from the rows of a site what its rules are about, once a person, and keeps it."""
