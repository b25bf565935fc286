"""Convnets of 10 and 20 layers with skip connections, after Zoph and Le 2017, section 3.3 and 4.1."""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING

from ..base import Architecture, Graph, Option, Space
from .numbering import Layer, Network, least_numbering, unread

if TYPE_CHECKING:
    from torch import nn

    from .plugin import ConvNetSettings


class ConvNetSpace(Space):
    """A sequence of convolutional layers, each of which may read any of the earlier ones.

    Choices of layer i = 1, 2, ...: ``l<i>.height``, ``l<i>.width``, ``l<i>.filters``, ``l<i>.stride``, and a
    binary anchor ``l<i>.from_<j>`` for every earlier layer j. A layer is a convolution, batch norm and ReLU.
    Zero padding keeps the size; a stride divides it, rounding up, so that no image shrinks below 1 pixel. The
    input of a layer is the concatenation of the layers that its anchors name, or the image if there are none;
    the smaller ones are padded with zeros on all sides to the size of the largest (an odd pixel goes to the
    right and below, which the paper leaves open). The outputs that no layer reads are concatenated likewise,
    averaged over the image, and read by a linear layer. FLOPs of random networks differ by a factor of a
    hundred: set ``max_flops``.

    Probes: the output of every layer, after batch norm and ReLU.

    Canonical form: the layers are renumbered, inputs first, by :func:`least_numbering`. Two networks share a
    key if and only if they differ only in the numbering of their layers.
    """

    settings: ConvNetSettings

    def __init__(self, settings: ConvNetSettings):
        super().__init__(settings)
        self.layers = settings.layers
        self.choices: dict[str, tuple[Option, ...]] = {}
        for layer in range(1, self.layers + 1):
            self.choices[f"l{layer}.height"] = tuple(settings.heights)
            self.choices[f"l{layer}.width"] = tuple(settings.widths)
            self.choices[f"l{layer}.filters"] = tuple(settings.filters)
            self.choices[f"l{layer}.stride"] = tuple(settings.strides)
            for earlier in range(1, layer):
                self.choices[f"l{layer}.from_{earlier}"] = (0, 1)

    def canonical(self, arch: Architecture) -> Architecture:
        """Return the canonical form; see the class for its rules."""
        self.check(arch)
        return self._canonical(arch)

    @functools.lru_cache(maxsize=16384)  # noqa: B019  (a space lives as long as the process that searches it)
    def _canonical(self, arch: Architecture) -> Architecture:
        return self._from_network(*least_numbering(*self.network(arch)))

    def _from_network(self, layers: list[Layer], inputs: list[list[int]]) -> Architecture:
        values: list[Option] = []
        for index, (layer, sources) in enumerate(zip(layers, inputs, strict=True)):
            values += [*layer, *(int(source in sources) for source in range(index))]
        return self._architecture(values)

    def network(self, arch: Architecture) -> Network:
        """Return the layers and what each of them reads, as written."""
        values = iter(self.encode(arch).values())
        layers, inputs = [], []
        for layer in range(self.layers):
            height, width, filters, stride = (int(value) for value in itertools.islice(values, 4))
            layers.append((height, width, filters, stride))
            anchors = itertools.islice(values, layer)
            inputs.append([earlier for earlier, anchor in enumerate(anchors) if anchor])
        return layers, inputs

    def _assemble(self, arch: Architecture, n_classes: int, in_channels: int) -> nn.Module:
        from .network import ConvNet  # torch takes a second and a half to import, and only networks need it

        layers, inputs = self.network(arch)
        return ConvNet(layers, inputs, n_classes, in_channels)

    def graph(self, arch: Architecture) -> Graph:
        """Describe the canonical form for drawing: image, layers and output, with an edge for each anchor."""
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
