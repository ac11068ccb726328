"""What an embedding is worth: the field's metrics, re-ranking, and pictures of both."""
