"""Convnets with searched skip connections."""

from __future__ import annotations

import random

import networkx
import numpy as np
import pytest
import torch
from torch.nn import functional

from tgsage import spaces
from tgsage.errors import TgsageError
from tgsage.spaces.convnet.numbering import least_numbering, unread


def labelled_graph(layers, inputs):
    graph = networkx.DiGraph()
    for index, (layer, sources) in enumerate(zip(layers, inputs, strict=True)):
        graph.add_node(index, label=layer)
        graph.add_edges_from((source, index) for source in sources)
    return graph


def shuffled(layers, inputs, rng):
    left, order = set(range(len(layers))), []
    while left:
        chosen = rng.choice(sorted(b for b in left if all(s in order for s in inputs[b])))
        order.append(chosen)
        left.remove(chosen)
    place = {old: new for new, old in enumerate(order)}
    return [layers[b] for b in order], [sorted(place[s] for s in inputs[b]) for b in order]


def random_network(rng, n, labels, density):
    layers = [rng.choice(labels) for _ in range(n)]
    return layers, [[j for j in range(i) if rng.random() < density] for i in range(n)]


def test_choices():
    for name, layers in (("convnet10", 10), ("convnet20", 20)):
        space = spaces.get(name)
        assert len(space.choices) == 4 * layers + layers * (layers - 1) // 2
        assert space.choices["l1.height"] == space.choices["l1.width"] == (1, 3, 5, 7)
        assert space.choices["l2.filters"] == (24, 36, 48, 64) and space.choices["l2.stride"] == (1, 2, 3)
        assert space.choices["l2.from_1"] == (0, 1)


@pytest.mark.parametrize("density", [0.1, 0.3, 0.6])
def test_renumbered_layers_share_a_key(density):
    """Few labels, so that colour refinement has ties to break; networkx is the referee."""
    space = spaces.get("convnet10")
    rng = random.Random(int(density * 10))
    labels = [(1, 1, 24, 1), (3, 3, 24, 1)]
    archs, graphs = [], []
    for _ in range(15):
        network = random_network(rng, 10, labels, density)
        for layers, inputs in (network, shuffled(*network, rng)):
            archs.append(space._from_network(layers, inputs))
            graphs.append(labelled_graph(layers, inputs))
    keys = [space.key(arch) for arch in archs]
    for a in range(len(archs)):
        for b in range(a):
            same = networkx.is_isomorphic(
                graphs[a], graphs[b], node_match=lambda x, y: x["label"] == y["label"]
            )
            assert (keys[a] == keys[b]) == same
    assert [keys[2 * i] == keys[2 * i + 1] for i in range(15)] == [True] * 15


def test_many_equal_layers_take_no_time():
    """Twenty like layers that all read the image: 20! orders. Ten like pairs: 10!. One canonical form."""
    layers = [(3, 3, 24, 1)] * 20
    apart = layers, [[] for _ in range(20)]
    assert least_numbering(*apart) == apart
    pairs = layers, [[] for _ in range(10)] + [[index] for index in range(10)]
    assert least_numbering(*pairs) == least_numbering(*shuffled(*pairs, random.Random(0)))


def rings(*sizes):
    """Lower layers, and upper ones that read two of them each, such that all form rings of these lengths."""
    n = sum(sizes) // 2
    inputs, start = [[] for _ in range(n)], 0
    for size in sizes:
        half = size // 2
        inputs += [sorted((start + index, start + (index + 1) % half)) for index in range(half)]
        start += half
    return [(3, 3, 24, 1)] * (2 * n), inputs


def test_layers_that_are_alike_to_colour_refinement_but_not_interchangeable():
    """A ring of six and one of four look alike to every layer in them, and like one ring of ten."""
    space = spaces.get("convnet10")
    rng = random.Random(0)
    keys = [
        {space.key(space._from_network(*shuffled(*network, rng))) for _ in range(20)}
        for network in (rings(6, 4), rings(10))
    ]
    assert [len(found) for found in keys] == [1, 1] and keys[0] != keys[1]


def slow_forward(network, images):
    outputs = []

    def joined(parts):
        height, width = (max(p.shape[d] for p in parts) for d in (2, 3))
        canvas = []
        for part in parts:
            blank = torch.zeros(len(part), part.shape[1], height, width, dtype=part.dtype)
            top, left = (height - part.shape[2]) // 2, (width - part.shape[3]) // 2
            blank[:, :, top : top + part.shape[2], left : left + part.shape[3]] = part
            canvas.append(blank)
        return torch.cat(canvas, 1)

    for index, sources in enumerate(network.inputs):
        convolution, norm = network.layers[index][0], network.layers[index][1]
        x = joined([outputs[s] for s in sources]) if sources else images
        x = functional.conv2d(
            x,
            convolution.weight,
            stride=convolution.stride,
            padding=[k // 2 for k in convolution.weight.shape[2:]],
        )
        x = functional.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)
        outputs.append(x.relu())
    read = {source for sources in network.inputs for source in sources}
    features = joined([outputs[i] for i in range(len(outputs)) if i not in read]).mean((2, 3))
    return features @ network.head.weight.T + network.head.bias


@pytest.mark.parametrize("size", [16, 13])
def test_network_is_what_the_docstring_says(size):
    space = spaces.get("convnet10", filters=(2, 3), strides=(1, 2, 3))
    rng = np.random.default_rng(size)
    images = torch.randn(3, 3, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for _ in range(5):
        network = space.build(space.sample(rng), 4).double()
        network(images).sum().backward()
        assert all(torch.isfinite(p.grad).all() for p in network.parameters())
        network.eval()
        with torch.no_grad():
            torch.testing.assert_close(network(images), slow_forward(network, images))


def test_probes_and_unread_layers():
    space = spaces.get("convnet10", filters=(2,), strides=(1,))
    arch = space.sample(np.random.default_rng(0))
    network = space.build(arch, 4)
    assert network.probe_names == tuple(f"layers.{index}" for index in range(10))
    assert unread([[], [0], [0], [1]]) == [2, 3]
    assert network.head.in_features == 2 * len(network.unread)


def test_canonical_is_idempotent_and_mutations_differ():
    space = spaces.get("convnet20")
    rng = np.random.default_rng(0)
    arch = space.sample(rng)
    for _ in range(20):
        child = space.mutate(arch, rng)
        assert space.canonical(child) == child and space.key(child) != space.key(arch)
        assert space.parse(space.format(child)) == child
        arch = child


def test_graph():
    space = spaces.get("convnet10")
    arch = space.sample(np.random.default_rng(0))
    layers, inputs = space.network(space.canonical(arch))
    graph = space.graph(arch)
    assert len(graph["nodes"]) == 12 and len(layers) == 10
    expected = sum(max(1, len(sources)) for sources in inputs) + len(unread(inputs))
    assert len(graph["edges"]) == expected


def test_settings_are_checked():
    with pytest.raises(TgsageError, match="heights: filter sizes must be odd"):
        spaces.get("convnet10", heights=(2, 3))
    with pytest.raises(TgsageError, match="strides: needs at least one option"):
        spaces.get("convnet10", strides=())
