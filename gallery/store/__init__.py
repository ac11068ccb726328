"""What must survive: people, tracklets, events; in Redis, and in memory as its reference."""
