"""Cells of NASNet and PNAS kind."""
