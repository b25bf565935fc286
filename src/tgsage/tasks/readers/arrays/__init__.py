"""Images in npz and HDF5 files."""
