"""Samplers: from a ledger to the next architectures. The same ledger, seed and round give the same answer.

>>> proposals = get("tpe").propose(space, ledger, n=4, seed=0)
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
