"""Recordings of a simulated macaque."""
