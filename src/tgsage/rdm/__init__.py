"""Representational similarity analysis: activations to RDMs, and RDMs to similarities.

Everything takes numpy arrays and torch tensors alike; torch is imported only by who hands in a tensor. An
RDM is *condensed*: the n(n-1)/2 dissimilarities above the diagonal, in the order of ``numpy.triu_indices(n,
1)``, as scipy and rsatoolbox have it.
"""

from .comparison import METHODS, compare
from .condensed import average, category_means, n_stimuli, subset, to_condensed, to_square
from .dissimilarity import METRICS, crossnobis, rdm

__all__ = [
    "METHODS", "METRICS", "average", "category_means", "compare", "crossnobis", "n_stimuli", "rdm", "subset",
    "to_condensed", "to_square",
]  # fmt: skip
