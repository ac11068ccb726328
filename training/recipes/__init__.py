"""Long runs made of shorter ones: the shipped weights, ablations, growth."""
