"""Show what a site has learnt about similarities, and how far the probabilities it states can be trusted."""
