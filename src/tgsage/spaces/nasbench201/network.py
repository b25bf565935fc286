"""The networks of NAS-Bench-201, with fewer and narrower cells where the settings say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..base import too_small
from ..layers import ConvolutionNorm, average_pool
from .cells import CHOICES, EDGES, Operations

if TYPE_CHECKING:
    from .plugin import NasBench201Settings


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
