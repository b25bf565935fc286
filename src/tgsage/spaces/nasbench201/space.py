"""The cells of NAS-Bench-201 (Dong and Yang 2020), as strings of the benchmark and as networks to train."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...errors import TgsageError, unknown
from ..base import Architecture, Graph, Option, Space, too_small
from ..layers import ConvolutionNorm, average_pool

if TYPE_CHECKING:
    from .plugin import NasBench201Settings

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""The benchmark's five operations, by its own names; a convolution is ReLU, convolution, batch norm."""

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""Source and target of each edge, in the order of the strings; node 0 is the input, 3 the output."""

CHOICES = tuple(f"edge_{source}_{target}" for source, target in EDGES)

Operations = tuple[str, ...]
"""An operation per edge."""


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


NodeSum = tuple[Any, ...]
"""What a node computes: a sorted tuple of terms. A term is ``("x",)``, ``("pool", sum)``, ``("constant",
edge)``, or ``(operation, edge, sum)`` of a convolution."""


def value_of(operations: Operations) -> NodeSum:
    """Return what the output node computes by the rules of :class:`NasBench201Space`."""
    values: list[NodeSum] = [(("x",),)]
    for node in (1, 2, 3):
        terms: list[Any] = []
        for edge, (source, target) in enumerate(EDGES):
            operation = operations[edge]
            if target != node or operation == "none":
                continue
            value = values[source]
            if operation == "skip_connect":
                terms += value
            elif operation == "avg_pool_3x3":
                terms += [term if term[0] == "constant" else ("pool", (term,)) for term in value]
            elif value:
                terms.append((operation, edge, value))
            else:
                terms.append(("constant", edge))
        values.append(tuple(sorted(terms, key=repr)))
    return values[3]


def _text(value: NodeSum, label: Callable[[int], str]) -> str:
    """Write a sum as text, independently of the order of its terms; ``label`` names the convolutions."""
    terms = []
    for term in value:
        if term[0] == "x":
            terms.append("x")
        elif term[0] == "pool":
            terms.append(f"pool({_text(term[1], label)})")
        elif term[0] == "constant":
            terms.append(f"constant{label(term[1])}")
        else:
            terms.append(f"{term[0]}{label(term[1])}({_text(term[2], label)})")
    return "+".join(sorted(terms))


def _convolutions(value: NodeSum) -> dict[int, str]:
    """Map the edges of the convolutions in a sum to what each of them computes, with unnamed convolutions."""
    texts: dict[int, str] = {}
    for term in value:
        if term[0] == "pool":
            texts |= _convolutions(term[1])
        elif term[0] != "x":
            texts[term[1]] = _text((term,), lambda _: "")
            if term[0] != "constant":
                texts |= _convolutions(term[2])
    return texts


def function_of(operations: Operations) -> str:
    """Return the normal form of a cell's function: two texts are equal if and only if the rules say so.

    Convolutions are numbered. Of all numberings that keep convolutions of the same function together, the one
    with the least text is taken.
    """
    value = value_of(operations)
    groups: dict[str, list[int]] = {}
    for edge, text in _convolutions(value).items():
        groups.setdefault(text, []).append(edge)
    texts = []
    for order in itertools.product(*(itertools.permutations(groups[text]) for text in sorted(groups))):
        number = {edge: str(index) for index, edge in enumerate(itertools.chain.from_iterable(order))}
        texts.append(_text(value, number.__getitem__))
    return min(texts)


@functools.cache
def representatives() -> dict[Operations, Operations]:
    """Map every cell to the representative of its function: 15,625 entries, 0.4 s once per process."""
    classes: dict[str, list[Operations]] = {}
    for operations in itertools.product(OPERATIONS, repeat=len(EDGES)):
        classes.setdefault(function_of(operations), []).append(operations)
    weights = {"nor_conv_1x1": 1, "nor_conv_3x3": 9}

    def order(operations: Operations) -> tuple[Any, ...]:
        return (
            sum(weights.get(operation, 0) for operation in operations),
            sum(operation != "none" for operation in operations),
            tuple(OPERATIONS.index(operation) for operation in operations),
        )

    return {
        member: representative
        for members in classes.values()
        for representative in [min(members, key=order)]
        for member in members
    }


class NasBench201Cell(nn.Module):
    """One cell; the ReLU of a node is computed once for all convolutions that read it."""

    def __init__(self, operations: Operations, channels: int):
        super().__init__()
        self.operations = operations
        self.outputs = channels
        self.edges = nn.ModuleDict()
        for name, operation in zip(CHOICES, operations, strict=True):
            if operation.startswith("nor_conv"):
                self.edges[name] = ConvolutionNorm(channels, channels, int(operation[-1]))
            elif operation == "avg_pool_3x3":
                self.edges[name] = average_pool(1)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the output."""
        # None stands for zero.
        nodes: list[Tensor | None] = [x, None, None, None]
        rectified: dict[int, Tensor] = {}
        for name, (source, target), operation in zip(CHOICES, EDGES, self.operations, strict=True):
            value = nodes[source]
            if operation == "none":
                continue
            if operation.startswith("nor_conv"):
                if source not in rectified:
                    rectified[source] = torch.zeros_like(x) if value is None else functional.relu(value)
                value = self.edges[name](rectified[source])
            elif value is None:
                continue
            elif operation == "avg_pool_3x3":
                value = self.edges[name](value)
            assert value is not None
            present = nodes[target]
            nodes[target] = value if present is None else present + value
        output = nodes[3]
        return torch.zeros_like(x) if output is None else output


class ResidualReduction(nn.Module):
    """The benchmark's residual block of stride 2: two ReLU-convolution-norms, and a pooled projection."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.outputs = outputs
        self.first = ConvolutionNorm(inputs, outputs, 3, stride=2)
        self.second = ConvolutionNorm(outputs, outputs, 3)
        # Rounding up makes no difference where the size is even, as it is in the benchmark.
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, 2, ceil_mode=True), nn.Conv2d(inputs, outputs, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Compute the output."""
        total: Tensor = self.shortcut(x) + self.second(functional.relu(self.first(functional.relu(x))))
        return total


class NasBench201Network(nn.Module):
    """The benchmark's macro skeleton around a cell."""

    least_size = 4

    def __init__(
        self, settings: NasBench201Settings, operations: Operations, n_classes: int, in_channels: int
    ):
        super().__init__()
        width, repeats = settings.width, settings.repeats
        self.stem = ConvolutionNorm(in_channels, width, 3)
        self.cells = nn.ModuleList()
        for stack in range(3):
            if stack:
                self.cells.append(ResidualReduction(width, 2 * width))
                width *= 2
            self.cells.extend(NasBench201Cell(operations, width) for _ in range(repeats))
        self.norm = nn.BatchNorm2d(width)
        self.head = nn.Linear(width, n_classes)
        every = range(len(self.cells))
        # The last cell of a stack precedes a residual block, or the end.
        stages = [repeats - 1, 2 * repeats, 3 * repeats + 1]
        self.probe_names = tuple(
            f"cells.{index}" for index in (every if settings.probes == "cells" else stages)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map images to logits."""
        size = (int(images.shape[-2]), int(images.shape[-1]))
        if min(size) < self.least_size:
            raise too_small("nasbench201", size, self.least_size, "choose another space")
        x = self.stem(images)
        for cell in self.cells:
            x = cell(x)
        logits: Tensor = self.head(functional.relu(self.norm(x)).mean(dim=(2, 3)))
        return logits
