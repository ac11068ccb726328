"""The middle stage: frames in, one CLIMB embedding per tracklet out."""
