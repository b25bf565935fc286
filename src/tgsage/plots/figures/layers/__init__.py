"""Similarity of layers."""
