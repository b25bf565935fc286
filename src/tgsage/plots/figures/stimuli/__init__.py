"""Arrangement of stimuli."""
