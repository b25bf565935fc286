"""The run's own page: one HTML file with everything in it, which opens offline."""

from .page import build, write

__all__ = ["build", "write"]
