"""Cells of NASNet and PNAS kind (Zoph et al. 2018; Liu et al. 2018), searched by Bashivan et al. 2019."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..base import Architecture, Graph, Option, Space, too_small
from ..layers import ConvolutionNorm, FactorizedReduction, SeparableConvolution, average_pool
from .blocks import OPERATIONS, Block, least_equivalent, unused_blocks

if TYPE_CHECKING:
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

# These begin with a ReLU, which is computed once per state and shared between them.
RECTIFIED = frozenset({"sep_3x3", "sep_5x5", "sep_7x7", "conv_1x7_7x1", "dil_3x3"})


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


def _operation(name: str, channels: int, stride: int, twice: bool) -> nn.Module:
    """Build an operation. Those in RECTIFIED expect an input that has passed a ReLU."""
    if name.startswith("sep_"):
        return SeparableConvolution(channels, int(name[4]), stride, twice)
    if name == "conv_1x7_7x1":
        return nn.Sequential(
            ConvolutionNorm(channels, channels, (1, 7), stride=(1, stride)),
            nn.ReLU(),
            ConvolutionNorm(channels, channels, (7, 1), stride=(stride, 1)),
        )
    if name == "dil_3x3":
        return ConvolutionNorm(channels, channels, 3, stride=stride, dilation=2)
    if name == "avg_pool_3x3":
        return average_pool(stride)
    if name == "max_pool_3x3":
        return nn.MaxPool2d(3, stride, 1)
    assert name == "identity", name
    return nn.Identity() if stride == 1 else FactorizedReduction(channels, channels)


class Cell(nn.Module):
    """One cell. Its two inputs are the outputs of the two previous cells *after* their ReLU."""

    def __init__(
        self,
        blocks: list[Block],
        inputs: tuple[int, int],
        channels: int,
        *,
        reduction: bool,
        halve_first: bool,
        twice: bool,
    ):
        super().__init__()
        self.blocks = tuple(blocks)
        self.unused = tuple(unused_blocks(blocks))
        self.outputs = channels * len(self.unused)
        used = {source for block in blocks for source in (block[0], block[2])}
        # An input that no block reads needs no projection.
        self.projections = nn.ModuleDict()
        if 0 in used:
            self.projections["h-2"] = (
                FactorizedReduction(inputs[0], channels)
                if halve_first
                else ConvolutionNorm(inputs[0], channels)
            )
        if 1 in used:
            self.projections["h-1"] = ConvolutionNorm(inputs[1], channels)
        self.operations = nn.ModuleList()
        # An identity with stride 2 is made of convolutions, which begin with a ReLU here.
        self._rectify: list[bool] = []
        for source_1, operation_1, source_2, operation_2 in blocks:
            for source, operation in ((source_1, operation_1), (source_2, operation_2)):
                stride = 2 if reduction and source < 2 else 1
                self.operations.append(_operation(operation, channels, stride, twice))
                self._rectify.append(operation in RECTIFIED or (operation == "identity" and stride == 2))

    def forward(self, before_last: Tensor, last: Tensor) -> Tensor:
        """Compute the output."""
        states: dict[int, Tensor] = {}
        if "h-2" in self.projections:
            states[0] = self.projections["h-2"](before_last)
        if "h-1" in self.projections:
            states[1] = self.projections["h-1"](last)
        rectified: dict[int, Tensor] = {}
        for index, (source_1, _, source_2, _) in enumerate(self.blocks):
            terms = []
            for side, source in enumerate((source_1, source_2)):
                x = states[source]
                if self._rectify[2 * index + side]:
                    if source not in rectified:
                        rectified[source] = functional.relu(x)
                    x = rectified[source]
                terms.append(self.operations[2 * index + side](x))
            states[2 + index] = terms[0] + terms[1]
        outputs = [states[2 + index] for index in self.unused]
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=1)


def layout(settings: CellSettings) -> list[tuple[bool, int]]:
    """Return the cells of a network in order: whether each is a reduction, and its operations' channels."""
    cells: list[tuple[bool, int]] = []
    dropped = settings.drop_reductions
    for index in range(settings.stem_reductions):
        if index >= dropped:
            cells.append((True, max(1, settings.width // 2 ** (settings.stem_reductions - index))))
    width = settings.width
    for stack in range(settings.reductions + 1):
        if stack and settings.stem_reductions + stack - 1 >= dropped:
            width *= 2
            cells.append((True, width))
        cells += [(False, width)] * settings.repeats
    return cells


class CellNetwork(nn.Module):
    """Stem, cells, global average pooling, linear layer; ``probe_names`` are the cells."""

    def __init__(
        self, settings: CellSettings, blocks: dict[str, list[Block]], n_classes: int, in_channels: int
    ):
        super().__init__()
        normal = blocks["normal"]
        reduction = blocks.get("reduction", normal)
        cells = layout(settings)
        stem = cells[0][1] if cells[0][0] else settings.width
        self.stem = ConvolutionNorm(in_channels, stem, 3, stride=settings.stem_stride)
        self.cells = nn.ModuleList()
        channels, halved = (stem, stem), False
        for reduce, width in cells:
            cell = Cell(
                reduction if reduce else normal,
                channels,
                width,
                reduction=reduce,
                halve_first=halved,
                twice=settings.separable_twice,
            )
            self.cells.append(cell)
            channels, halved = (channels[1], cell.outputs), reduce
        self.head = nn.Linear(channels[1], n_classes)
        self.probe_names = tuple(f"cells.{index}" for index in range(len(cells)))
        self.least_size = settings.stem_stride * 2 ** sum(reduce for reduce, _ in cells)

    def forward(self, images: Tensor) -> Tensor:
        """Map images to logits."""
        size = (int(images.shape[-2]), int(images.shape[-1]))
        if min(size) < self.least_size:
            raise too_small(
                "cell", size, self.least_size, "choose fewer reductions or stem_stride 1 in search.space"
            )
        before_last = last = functional.relu(self.stem(images))
        for cell in self.cells:
            before_last, last = last, functional.relu(cell(before_last, last))
        logits: Tensor = self.head(last.mean(dim=(2, 3)))
        return logits
