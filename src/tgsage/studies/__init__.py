"""Studies: ledgers of several searches beside each other."""

from .comparison import comparison

__all__ = ["comparison"]
