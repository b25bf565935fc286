"""Readings of the whole profile."""
