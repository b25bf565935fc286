"""Representational similarity analysis: activations to RDMs, and RDMs to similarities.

Everything takes numpy arrays and torch tensors alike; torch is imported only by who hands in a tensor. An
RDM is *condensed*: the n(n-1)/2 dissimilarities above the diagonal, in the order of ``numpy.triu_indices(n,
1)``, as scipy and rsatoolbox have it.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
