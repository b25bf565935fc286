"""The folder of a run: every file under ``results/<run>/``, its columns, version, reader and writer."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
