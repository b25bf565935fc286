"""A folder per published layout: settings in ``plugin.py``, ``read`` and ``raw_files`` in ``reader.py``."""
