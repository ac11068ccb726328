"""Who is who: one window of tracklets in, decisions out. Pure."""
