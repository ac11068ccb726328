"""Generated people and sites with exact ground truth; everything is a function of its seeds."""
