"""Reliability of sites."""
