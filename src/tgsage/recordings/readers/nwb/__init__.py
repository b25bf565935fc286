"""Spike times in files of Neurodata Without Borders."""
