"""Arms beside each other."""
