"""Trackers: detections of one stream to tracks, behind one protocol, with state that can be saved."""
