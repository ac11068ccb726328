"""The third stage: one identity per person of a site, from the tracklets of all its cameras."""
