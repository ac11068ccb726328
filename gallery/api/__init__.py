"""The HTTP API of a site: cameras, identities, tracks and live events."""
