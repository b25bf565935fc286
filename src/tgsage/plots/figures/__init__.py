"""The figures, a folder each."""
