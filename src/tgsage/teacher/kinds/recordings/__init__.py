"""Recordings and published RDMs."""
