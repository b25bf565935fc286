"""A folder per source of a task: settings in ``plugin.py``, ``read`` and ``raw_files`` in ``reader.py``."""
