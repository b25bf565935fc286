"""Recordings in one HDF5 file."""
