"""Search spaces: named choices, architectures, and the torch modules they stand for.

>>> space = get("cell", blocks=3)
>>> arch = space.sample(numpy.random.default_rng(0))
>>> module = space.build(arch, n_classes=10)
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
