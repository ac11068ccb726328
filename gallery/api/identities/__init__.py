"""People: who they are, where they were, what was said about them, and who looks like them."""
