"""Permuted stimulus labels."""
