"""Similarities as shares of their noise ceilings."""
