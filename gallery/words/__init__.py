"""What people said about who is who, as constraints on later decisions."""
