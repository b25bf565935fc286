"""One module per published layout; each has ``read(settings, data_root) -> Task``."""
