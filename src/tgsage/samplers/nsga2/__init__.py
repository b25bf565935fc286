"""NSGA-II."""
