"""Person detectors: the interface, the implementations, and the download of their model files."""
