"""Identity decisions: one window of tracklets in, decisions out. Pure."""
