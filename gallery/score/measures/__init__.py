"""What is measured: one module a measure, each a pure function of scenes, or of who was shown where and when."""
