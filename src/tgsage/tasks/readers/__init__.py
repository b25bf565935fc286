"""One module per published layout.

Each has ``read(settings, data_root, scratch) -> Task`` and, if it reads files,
``raw_files(settings, data_root) -> list[Path]``.
"""
