"""Accuracy against teacher guidance."""
