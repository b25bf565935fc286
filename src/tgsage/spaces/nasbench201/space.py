"""The space of NAS-Bench-201 (Dong and Yang 2020)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...errors import TgsageError, unknown
from ..base import Architecture, Graph, Option, Space
from .cells import CHOICES, EDGES, OPERATIONS, Operations, representatives

if TYPE_CHECKING:
    from torch import nn

    from .plugin import NasBench201Settings


class NasBench201Space(Space):
    """All 15,625 cells of NAS-Bench-201: four nodes, and an operation on each of the six edges between them.

    A node is the sum of its incoming edges. A network consists of a 3x3 stem convolution of ``width``
    channels, three stacks of ``repeats`` cells with a residual block of stride 2 that doubles the channels
    between two stacks, batch norm, ReLU, global average pooling and a linear layer. The published networks
    have width 16 and 5 repeats.

    Choices: ``edge_<source>_<target>``.

    Probes: the output node of every cell and the output of both residual blocks (``probes: cells``), before
    any ReLU that follows; or only the last of each stack (``probes: stages``).

    Canonical form. Two cells compute the same function if these exact rules make them equal: ``none`` edges
    are removed; a node without inputs is zero; ``skip_connect`` and pooling of zero are zero; a sum includes
    the terms of a skipped sum, and its terms have no order; the (average) pooling of a sum is the sum of the
    poolings of its terms; a convolution belongs to its edge, so that one convolution read twice differs from
    two convolutions; a convolution of zero is a learned constant, whatever its kernel, and the pooling of a
    constant is that constant; an edge that does not reach the output is removed. The 15,625 strings compute
    5,234 functions by these rules; with random weights no two of them have the same output. (The benchmark's
    own 6,466 keep zeros and nested sums apart, but take one convolution read twice for two.) Cells of the
    same function agree up to rounding. The representative is the string with the fewest weights, then the
    fewest edges, then the first in order.

    Published accuracies belong to strings, not to functions: look them up by the architecture that
    :meth:`parse` makes of a string, never by key.
    """

    settings: NasBench201Settings

    def __init__(self, settings: NasBench201Settings):
        super().__init__(settings)
        self.choices: dict[str, tuple[Option, ...]] = dict.fromkeys(CHOICES, OPERATIONS)

    def canonical(self, arch: Architecture) -> Architecture:
        """Return the canonical form; see the class for its rules."""
        self.check(arch)
        return self._architecture(representatives()[self.operations(arch)])

    def operations(self, arch: Architecture) -> Operations:
        """Return the operations of an architecture as written, in the order of ``EDGES``."""
        return tuple(str(value) for _, value in arch.choices)

    def parse(self, text: str) -> Architecture:
        """Read an architecture from JSON, as :meth:`format` writes it, or from a string of the benchmark.

        Such a string looks like ``|none~0|+|none~0|none~1|+|none~0|none~1|none~2|``. The architecture is as
        written, not canonical. A TgsageError if the text is neither.
        """
        if not isinstance(text, str) or "|" not in text:
            return super().parse(text)
        stripped = text.strip()
        operations = re.findall(r"\|?([a-z0-9_]+)~[0-9]", stripped)
        if len(operations) == len(EDGES):
            for operation in operations:
                if operation not in OPERATIONS:
                    raise unknown("operation of nasbench201", operation, OPERATIONS)
            if _published(tuple(operations)) == stripped:
                return self._architecture(tuple(operations))
        raise TgsageError(
            f"space nasbench201: not a string of the benchmark: {stripped[:80]!r}; "
            "expected |op~0|+|op~0|op~1|+|op~0|op~1|op~2|"
        )

    def _assemble(self, arch: Architecture, n_classes: int, in_channels: int) -> nn.Module:
        # torch takes a second and a half to import, and only networks need it.
        from .network import NasBench201Network

        return NasBench201Network(self.settings, self.operations(arch), n_classes, in_channels)

    def graph(self, arch: Architecture) -> Graph:
        """Describe the canonical form for drawing: four nodes, and an edge per operation but ``none``."""
        labels = ("input", "node 1", "node 2", "output")
        kinds = ("input", "block", "block", "output")
        nodes = [
            {"id": str(index), "cell": "normal", "kind": kind, "label": label}
            for index, (kind, label) in enumerate(zip(kinds, labels, strict=True))
        ]
        edges = [
            {"source": str(source), "target": str(target), "cell": "normal", "operation": operation}
            for (source, target), operation in zip(EDGES, self.operations(self.canonical(arch)), strict=True)
            if operation != "none"
        ]
        return {"nodes": nodes, "edges": edges}


def _published(operations: Operations) -> str:
    nodes: dict[int, str] = {}
    for (source, target), operation in zip(EDGES, operations, strict=True):
        nodes[target] = nodes.get(target, "|") + f"{operation}~{source}|"
    return "+".join(nodes[target] for target in sorted(nodes))
