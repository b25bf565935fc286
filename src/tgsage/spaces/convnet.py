"""Convnets of 10 and 20 layers with skip connections, after Zoph and Le 2017, section 3.3 and 4.1."""

from __future__ import annotations

import functools
from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..config.space_convnet import ConvNetSpace as Settings
from .base import Architecture, Space, Value
from .layers import ConvolutionNorm

Layer = tuple[int, int, int, int]
"""Filter height, filter width, number of filters, stride."""

Network = tuple[list[Layer], list[list[int]]]
"""The layers, and for each the indices of the layers that it reads."""


class ConvNetSpace(Space):
    """A sequence of convolutional layers, each of which reads any of the earlier ones.

    Choices per layer i = 1, 2, ...: ``l<i>.height``, ``l<i>.width``, ``l<i>.filters``, ``l<i>.stride``, and a
    binary anchor ``l<i>.from_<j>`` for every earlier layer j. A layer is convolution (zero padding that
    keeps the size but for the stride, which rounds up, so no image shrinks below 1 pixel), batch norm, ReLU.
    Its input is the concatenation of the layers its anchors name, the smaller ones padded with zeros around
    to the size of the largest; without any, the image. The outputs that no layer reads are concatenated
    likewise, averaged over the image, and read by a linear layer. (That the padding is on all sides, the odd
    pixel at the right and below, is ours.) Random networks differ a hundredfold in FLOPs: set ``max_flops``.

    Probes: the output of every layer, after batch norm and ReLU.

    Canonical form: layers renumbered, inputs first, by a rank that does not depend on how they were numbered
    (colour refinement of the labelled graph, every way to break a tie followed). Two networks share a key
    exactly when they differ in nothing but the numbering of their layers.
    """

    settings: Settings

    def __init__(self, settings: Settings):
        self.settings = settings
        self.name = settings.name
        self.layers = settings.layers
        self.choices: dict[str, tuple[Value, ...]] = {}
        for layer in range(1, self.layers + 1):
            self.choices[f"l{layer}.height"] = tuple(settings.heights)
            self.choices[f"l{layer}.width"] = tuple(settings.widths)
            self.choices[f"l{layer}.filters"] = tuple(settings.filters)
            self.choices[f"l{layer}.stride"] = tuple(settings.strides)
            for earlier in range(1, layer):
                self.choices[f"l{layer}.from_{earlier}"] = (0, 1)

    def canonical(self, arch: Architecture) -> Architecture:
        self.check(arch)
        return self._canonical(arch)

    @functools.lru_cache(maxsize=16384)  # noqa: B019  (a space lives as long as the process that searches it)
    def _canonical(self, arch: Architecture) -> Architecture:
        return self._from_network(*least_numbering(*self.network(arch)))

    def network(self, arch: Architecture) -> Network:
        """The layers, and for each the indices of the layers it reads, as written."""
        values = self.encode(arch)
        layers, inputs = [], []
        for layer in range(1, self.layers + 1):
            height, width, filters, stride = (
                int(values[f"l{layer}.{what}"]) for what in ("height", "width", "filters", "stride")
            )
            layers.append((height, width, filters, stride))
            inputs.append([earlier - 1 for earlier in range(1, layer) if values[f"l{layer}.from_{earlier}"]])
        return layers, inputs

    def _from_network(self, layers: list[Layer], inputs: list[list[int]]) -> Architecture:
        choices: list[tuple[str, Value]] = []
        for index, (height, width, filters, stride) in enumerate(layers):
            prefix = f"l{index + 1}"
            choices += [
                (f"{prefix}.height", height),
                (f"{prefix}.width", width),
                (f"{prefix}.filters", filters),
                (f"{prefix}.stride", stride),
            ]
            choices += [
                (f"{prefix}.from_{source + 1}", int(source in inputs[index])) for source in range(index)
            ]
        return Architecture(self.name, tuple(choices))

    def _assemble(self, arch: Architecture, n_classes: int, in_channels: int) -> nn.Module:
        layers, inputs = self.network(arch)
        return ConvNet(layers, inputs, n_classes, in_channels)

    def graph(self, arch: Architecture) -> dict[str, list[dict[str, Any]]]:
        """Describe the canonical form for drawing: image, layers, output, and what reads what."""
        layers, inputs = self.network(self.canonical(arch))
        nodes = [{"id": "image", "cell": "normal", "kind": "input", "label": "image"}]
        edges = []
        for index, (height, width, filters, stride) in enumerate(layers):
            label = f"{height}x{width}, {filters}" + (f", /{stride}" if stride > 1 else "")
            nodes.append({"id": f"l{index + 1}", "cell": "normal", "kind": "block", "label": label})
            for source in [f"l{item + 1}" for item in inputs[index]] or ["image"]:
                edges.append(
                    {"source": source, "target": f"l{index + 1}", "cell": "normal", "operation": "conv"}
                )
        nodes.append({"id": "output", "cell": "normal", "kind": "output", "label": "concatenation"})
        edges += [
            {"source": f"l{index + 1}", "target": "output", "cell": "normal", "operation": "concat"}
            for index in unread(inputs)
        ]
        return {"nodes": nodes, "edges": edges}


def unread(inputs: list[list[int]]) -> list[int]:
    """Layers that no layer reads."""
    read = {source for sources in inputs for source in sources}
    return [index for index in range(len(inputs)) if index not in read]


def least_numbering(layers: list[Layer], inputs: list[list[int]]) -> Network:
    """Number the layers anew, inputs first, in a way that does not depend on how they were numbered.

    Layers are ranked by colour refinement: by their own description, then again and again by the ranks of
    what they read and of what reads them, until no rank splits. Where ranks tie, each of the tied layers in
    turn goes before the others, and refinement goes on; of the networks that come of it the least is taken
    (individualisation and refinement: McKay and Piperno 2014). A tied layer is passed over if it reads, and
    is read by, the same layers as one that was tried, or if the first network that it leads to was found
    already: then an automorphism takes the one layer to the other, and the rest would be found again.
    """
    n = len(layers)
    readers: list[list[int]] = [[] for _ in range(n)]
    for index, sources in enumerate(inputs):
        for source in sources:
            readers[source].append(index)

    def refine(rank: list[int]) -> list[int]:
        while True:
            colours = [
                (rank[i], sorted(rank[j] for j in inputs[i]), sorted(rank[j] for j in readers[i]))
                for i in range(n)
            ]
            ordered = sorted(colours)
            finer = [ordered.index(colour) for colour in colours]
            if len(set(finer)) == len(set(rank)):
                return finer
            rank = finer

    def tied(rank: list[int]) -> list[int]:
        counts = Counter(rank)
        least = min(value for value in rank if counts[value] > 1)
        return [index for index, value in enumerate(rank) if value == least]

    def before_others(first: int, rank: list[int]) -> list[int]:
        # Twice the rank leaves room below the tied ones.
        return refine([2 * value - (index == first) for index, value in enumerate(rank)])

    def numbered(rank: list[int]) -> Network:
        order: list[int] = []
        while len(order) < n:
            ready = [i for i in range(n) if i not in order and all(source in order for source in inputs[i])]
            order.append(min(ready, key=rank.__getitem__))
        place = {old: new for new, old in enumerate(order)}
        return [layers[old] for old in order], [sorted(place[j] for j in inputs[old]) for old in order]

    def first_network(rank: list[int]) -> Network:
        while len(set(rank)) < n:
            rank = before_others(tied(rank)[0], rank)
        return numbered(rank)

    def networks(rank: list[int]) -> list[Network]:
        if len(set(rank)) == n:
            return [numbered(rank)]
        found: list[Network] = []
        tried: list[int] = []
        for layer in tied(rank):
            if any(inputs[layer] == inputs[other] and readers[layer] == readers[other] for other in tried):
                continue
            longer = before_others(layer, rank)
            if found and first_network(longer) in found:
                continue
            tried.append(layer)
            found += networks(longer)
        return found

    described = sorted(layers)
    return min(networks(refine([described.index(layer) for layer in layers])))


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
        outputs: list[Tensor] = []
        for layer, sources in zip(self.layers, self.inputs, strict=True):
            outputs.append(layer(concatenate([outputs[source] for source in sources]) if sources else images))
        last = [outputs[index] for index in self.unread]
        height = max(item.shape[2] for item in last)
        width = max(item.shape[3] for item in last)
        # The mean over the padded image, without padding it.
        features = [item.sum(dim=(2, 3)) / (height * width) for item in last]
        return self.head(torch.cat(features, dim=1))


def concatenate(parts: list[Tensor]) -> Tensor:
    """Concatenate along channels, the smaller parts padded with zeros around to the largest size."""
    height = max(item.shape[2] for item in parts)
    width = max(item.shape[3] for item in parts)
    padded = []
    for item in parts:
        above, left = height - item.shape[2], width - item.shape[3]
        if above or left:
            item = functional.pad(item, (left // 2, left - left // 2, above // 2, above - above // 2))
        padded.append(item)
    return padded[0] if len(padded) == 1 else torch.cat(padded, dim=1)
