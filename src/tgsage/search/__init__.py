"""A search as files: proposals, measurements, ledgers, finalists and the one that is tested.

Each function is one stage: it reads the files of earlier stages and writes its own. They need no workflow
engine; a notebook may call them in turn.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
