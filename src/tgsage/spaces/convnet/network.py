"""Convnets with skip connections; :class:`~tgsage.spaces.convnet.space.ConvNetSpace` says what they are."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..layers import ConvolutionNorm
from .numbering import Layer, unread


class ConvNet(nn.Module):
    """The layers of a :class:`ConvNetSpace` architecture; ``probe_names`` are the layers."""

    def __init__(self, layers: list[Layer], inputs: list[list[int]], n_classes: int, in_channels: int):
        super().__init__()
        self.inputs = tuple(tuple(sources) for sources in inputs)
        self.unread = tuple(unread(inputs))
        self.layers = nn.ModuleList()
        for (height, width, filters, stride), sources in zip(layers, inputs, strict=True):
            channels = sum(layers[source][2] for source in sources) or in_channels
            self.layers.append(
                nn.Sequential(*ConvolutionNorm(channels, filters, (height, width), stride=stride), nn.ReLU())
            )
        self.head = nn.Linear(sum(layers[index][2] for index in self.unread), n_classes)
        self.probe_names = tuple(f"layers.{index}" for index in range(len(layers)))

    def forward(self, images: Tensor) -> Tensor:
        """Map images to logits."""
        outputs: list[Tensor] = []
        for layer, sources in zip(self.layers, self.inputs, strict=True):
            outputs.append(layer(concatenate([outputs[source] for source in sources]) if sources else images))
        last = [outputs[index] for index in self.unread]
        height = max(item.shape[2] for item in last)
        width = max(item.shape[3] for item in last)
        # The mean over the padded image, without padding it.
        features = [item.sum(dim=(2, 3)) / (height * width) for item in last]
        logits: Tensor = self.head(torch.cat(features, dim=1))
        return logits


def concatenate(parts: list[Tensor]) -> Tensor:
    """Concatenate along channels, the smaller parts padded with zeros around to the largest size."""
    height = max(item.shape[2] for item in parts)
    width = max(item.shape[3] for item in parts)
    padded = []
    for part in parts:
        rows, columns = height - part.shape[2], width - part.shape[3]
        margins = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
        padded.append(functional.pad(part, margins) if any(margins) else part)
    return padded[0] if len(padded) == 1 else torch.cat(padded, dim=1)
