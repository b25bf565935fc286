"""Predicted responses of recorded sites to the images of the task."""
