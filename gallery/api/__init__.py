"""The questions a site answers over HTTP: cameras, identities, tracks, live events."""
