"""A task of rendered objects."""
