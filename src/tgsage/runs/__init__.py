"""The folder of a run: every file under ``results/<run>/``, with its name, reader and writer."""
