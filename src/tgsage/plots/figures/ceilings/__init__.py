"""Noise ceilings."""
