"""Architectures that a file lists."""
