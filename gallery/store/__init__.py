"""Persistent state: people, tracklets and events; in Redis, and in memory as the reference."""
