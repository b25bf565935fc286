"""The winning cell."""
