"""The third stage: assigns one identity per person of a site to the tracklets of all its cameras."""
