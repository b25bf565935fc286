"""Cells of NASNet and PNAS kind (Zoph et al. 2018; Liu et al. 2018), searched by Bashivan et al. 2019."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base import Architecture, Graph, Option, Space
from .blocks import OPERATIONS, Block, least_equivalent, unused_blocks

if TYPE_CHECKING:
    from torch import nn

    from .plugin import CellSettings

LABELS = {
    "sep_3x3": "separable\n3×3",
    "sep_5x5": "separable\n5×5",
    "sep_7x7": "separable\n7×7",
    "conv_1x7_7x1": "1×7 then\n7×1",
    "dil_3x3": "dilated\n3×3",
    "avg_pool_3x3": "avg pool\n3×3",
    "max_pool_3x3": "max pool\n3×3",
}
"""What a drawing calls the operations."""

CELL_INPUTS = ("h-2", "h-1")
"""Output of the cell before the last, and of the last."""


class CellSpace(Space):
    """Stacked cells of blocks.

    A block reads two inputs (outputs of the two previous cells or of earlier blocks), applies an operation to
    each and adds the results. The output of a cell is the concatenation of the blocks that no other block
    reads; the next cells project it back with ReLU, 1x1 convolution and batch norm. A network consists of a
    3x3 stem convolution, ``stem_reductions`` reduction cells, stacks of ``repeats`` cells with a reduction
    cell between two stacks, ReLU, global average pooling and a linear layer. A reduction cell applies stride
    2 to the operations that read a previous cell. Where the cell before the last has twice the size of the
    last, its projection is a factorized reduction; so is an identity with stride 2.

    Choices: ``b<k>.input_1``, ``b<k>.operation_1``, ``b<k>.input_2``, ``b<k>.operation_2`` of every block
    k = 1, 2, ..., with the prefix ``normal.`` or ``reduction.`` where the reduction cell is searched apart.

    Probes: the output of every cell, after the concatenation of its unused blocks and before the ReLU of the
    cells that follow.

    Canonical form: the least of all lists of blocks that compute the same function (the sides of a block are
    ordered by input, then by operation). Two cells compute the same function if these exact rules make them
    equal: sums and the concatenation have no order; a block that is read through an identity contributes its
    terms to the sum that reads it; the average of a sum is the sum of the averages; the maximum of n times a
    sum is n times its maximum; equal sums are equal, whichever block computes them; an operation with weights
    belongs to its side, so that one operation read twice differs from two operations. An identity of a
    previous cell has weights in a cell that is used with stride 2, as is the only cell of
    ``separate_reduction: false``.
    """

    settings: CellSettings

    def __init__(self, settings: CellSettings):
        super().__init__(settings)
        self.cells = ("normal", "reduction") if settings.separate_reduction else ("normal",)
        self._inputs = CELL_INPUTS + tuple(f"b{block + 1}" for block in range(settings.blocks))
        self._prefixes = {cell: f"{cell}." if settings.separate_reduction else "" for cell in self.cells}
        self.choices: dict[str, tuple[Option, ...]] = {}
        for prefix in self._prefixes.values():
            for block in range(settings.blocks):
                inputs = self._inputs[: 2 + block]
                for side in (1, 2):
                    self.choices[f"{prefix}b{block + 1}.input_{side}"] = inputs
                    self.choices[f"{prefix}b{block + 1}.operation_{side}"] = OPERATIONS

    def canonical(self, arch: Architecture) -> Architecture:
        """Return the canonical form; see the class for its rules."""
        self.check(arch)
        apart = self.settings.separate_reduction
        return self._from_blocks(
            {
                cell: least_equivalent(blocks, strided=cell == "reduction" or not apart)
                for cell, blocks in self.blocks(arch).items()
            }
        )

    def _from_blocks(self, cells: dict[str, list[Block]]) -> Architecture:
        values: list[Option] = []
        for cell in self.cells:
            for input_1, operation_1, input_2, operation_2 in cells[cell]:
                values += [self._inputs[input_1], operation_1, self._inputs[input_2], operation_2]
        return self._architecture(values)

    def blocks(self, arch: Architecture) -> dict[str, list[Block]]:
        """Return the blocks of the normal cell and, if it is searched apart, of the reduction cell.

        Returns
        -------
        dict
            Name of a cell to its blocks as they are written, each as (input, operation, input, operation).
            Input 0 is the cell before the last, 1 the last cell, 2 + k block k.
        """
        values = [str(value) for value in self.encode(arch).values()]
        index = self._inputs.index
        blocks = [
            (index(input_1), operation_1, index(input_2), operation_2)
            for input_1, operation_1, input_2, operation_2 in zip(
                values[::4], values[1::4], values[2::4], values[3::4], strict=True
            )
        ]
        n = self.settings.blocks
        return {cell: blocks[n * position : n * (position + 1)] for position, cell in enumerate(self.cells)}

    def separable(self, arch: Architecture) -> Architecture:
        """Replace each pair of 1x7 and 7x1 convolutions by a 7x7 separable convolution, in both cells.

        The result is as written, not canonical, and equal to ``arch`` if it has no such pair.
        """
        values = self.encode(arch).values()
        return self._architecture("sep_7x7" if value == "conv_1x7_7x1" else value for value in values)

    def _assemble(self, arch: Architecture, n_classes: int, in_channels: int) -> nn.Module:
        from .network import (
            CellNetwork,
        )  # torch takes a second and a half to import, and only networks need it

        return CellNetwork(self.settings, self.blocks(arch), n_classes, in_channels)

    def graph(self, arch: Architecture) -> Graph:
        """Describe the canonical form for drawing.

        Returns
        -------
        dict
            ``nodes``: ``id``, ``cell`` (normal or reduction), ``kind`` (input, block, output), ``label``, and
            for blocks ``block`` (1, 2, ...) and ``operations`` (two). ``edges``: ``source``, ``target``,
            ``cell``, ``operation`` (of a block's side, with a ``label``, or ``concat`` into the output). If
            the reduction cell is searched apart, there are two graphs, with the ids ``normal.*`` and
            ``reduction.*``.
        """
        nodes: list[dict[str, Any]] = []
        edges: list[dict[str, Any]] = []
        for cell, blocks in self.blocks(self.canonical(arch)).items():
            prefix = self._prefixes[cell]
            names = [prefix + name for name in self._inputs]
            for name, label in zip(names[:2], ("cell before last", "last cell"), strict=True):
                nodes.append({"id": name, "cell": cell, "kind": "input", "label": label})
            for index, (input_1, operation_1, input_2, operation_2) in enumerate(blocks):
                node = {"id": names[2 + index], "cell": cell, "kind": "block", "label": f"block {index + 1}"}
                nodes.append({**node, "block": index + 1, "operations": [operation_1, operation_2]})
                for source, operation in ((input_1, operation_1), (input_2, operation_2)):
                    edge = {"source": names[source], "target": names[2 + index], "cell": cell}
                    edges.append({**edge, "operation": operation, "label": LABELS.get(operation, operation)})
            output = f"{prefix}output"
            nodes.append({"id": output, "cell": cell, "kind": "output", "label": "concatenation"})
            for index in unused_blocks(blocks):
                edges.append(
                    {"source": names[2 + index], "target": output, "cell": cell, "operation": "concat"}
                )
        return {"nodes": nodes, "edges": edges}
