"""Networks of stacked cells; :class:`~tgsage.spaces.cell.space.CellSpace` says what they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..base import too_small
from ..layers import ConvolutionNorm, FactorizedReduction, SeparableConvolution, average_pool
from .blocks import Block, unused_blocks

if TYPE_CHECKING:
    from .plugin import CellSettings

# These begin with a ReLU, which is computed once per state and shared between them.
RECTIFIED = frozenset({"sep_3x3", "sep_5x5", "sep_7x7", "conv_1x7_7x1", "dil_3x3"})


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
