"""A network that learned the task."""
