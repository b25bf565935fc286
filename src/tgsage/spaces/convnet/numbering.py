"""A numbering of the layers of a network that does not depend on how they were numbered."""

from __future__ import annotations

from collections import Counter

Layer = tuple[int, int, int, int]
"""Filter height, filter width, number of filters, stride."""

Network = tuple[list[Layer], list[list[int]]]
"""The layers, and for each layer the indices of the layers that it reads."""


def least_numbering(layers: list[Layer], inputs: list[list[int]]) -> Network:
    """Renumber the layers, inputs first, in a way that does not depend on their numbering.

    Layers are ranked by colour refinement: first by their own description, then repeatedly by the ranks of
    the layers that they read and that read them, until no rank splits. If ranks tie, each of the tied layers
    in turn is put before the others, and refinement continues; of all resulting networks the least is taken
    (individualisation and refinement: McKay and Piperno 2014). A tied layer is skipped if it reads, and is
    read by, the same layers as one that was tried, or if its first network was found already: then an
    automorphism maps one layer to the other, and all its networks would be found again.

    Examples
    --------
    Two equal chains: all layers look alike, layer 2 reads layer 1, and layer 3 reads layer 0.

    >>> alike = (3, 3, 24, 1)
    >>> least_numbering([alike] * 4, [[], [], [1], [0]])[1]
    [[], [], [0], [1]]

    Refinement ranks the two beginnings 0 and the two ends 2. Putting layer 0 before layer 1 splits the ends,
    too: the layers 0, 1, 3, 2 are numbered 0, 1, 2, 3. Putting layer 1 first leads to the same network, so
    nothing more is tried.
    """
    described = sorted(layers)
    search = _Search(layers, inputs)
    return min(search.networks(search.refine([described.index(layer) for layer in layers])))


class _Search:
    """Individualisation and refinement; a rank is a list with one number per layer."""

    def __init__(self, layers: list[Layer], inputs: list[list[int]]):
        self.layers, self.inputs, self.n = layers, inputs, len(layers)
        self.readers: list[list[int]] = [[] for _ in range(self.n)]
        for index, sources in enumerate(inputs):
            for source in sources:
                self.readers[source].append(index)

    def refine(self, rank: list[int]) -> list[int]:
        """Split ranks by the ranks of what layers read and of what reads them, until none splits."""
        while True:
            colours = [
                (rank[i], sorted(rank[j] for j in self.inputs[i]), sorted(rank[j] for j in self.readers[i]))
                for i in range(self.n)
            ]
            ordered = sorted(colours)
            finer = [ordered.index(colour) for colour in colours]
            if len(set(finer)) == len(set(rank)):
                return finer
            rank = finer

    def networks(self, rank: list[int]) -> list[Network]:
        """Return the networks of all ways to break the ties, less those that an automorphism repeats."""
        if len(set(rank)) == self.n:
            return [self._numbered(rank)]
        results: list[Network] = []
        tried: list[int] = []
        for layer in self._tied(rank):
            if any(self._alike(layer, other) for other in tried):
                continue
            finer = self._before_others(layer, rank)
            if results and self._first_network(finer) in results:
                continue
            tried.append(layer)
            results += self.networks(finer)
        return results

    def _alike(self, one: int, two: int) -> bool:
        return self.inputs[one] == self.inputs[two] and self.readers[one] == self.readers[two]

    def _tied(self, rank: list[int]) -> list[int]:
        counts = Counter(rank)
        least = min(value for value in rank if counts[value] > 1)
        return [index for index, value in enumerate(rank) if value == least]

    def _before_others(self, first: int, rank: list[int]) -> list[int]:
        # Doubling the ranks leaves room below the tied ones.
        return self.refine([2 * value - (index == first) for index, value in enumerate(rank)])

    def _first_network(self, rank: list[int]) -> Network:
        while len(set(rank)) < self.n:
            rank = self._before_others(self._tied(rank)[0], rank)
        return self._numbered(rank)

    def _numbered(self, rank: list[int]) -> Network:
        order: list[int] = []
        while len(order) < self.n:
            ready = [i for i in range(self.n) if i not in order and set(self.inputs[i]) <= set(order)]
            order.append(min(ready, key=rank.__getitem__))
        renumbered = {old: new for new, old in enumerate(order)}
        inputs = [sorted(renumbered[j] for j in self.inputs[old]) for old in order]
        return [self.layers[old] for old in order], inputs


def unread(inputs: list[list[int]]) -> list[int]:
    """Return the indices of the layers that no layer reads."""
    read = {source for sources in inputs for source in sources}
    return [index for index in range(len(inputs)) if index not in read]
