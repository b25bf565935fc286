"""Equal keys, equal outputs; different keys, different outputs: in every space, on built networks."""

from __future__ import annotations

import doctest
import itertools
import json
import math
import random

import numpy as np
import pytest
import torch
from test_spaces_convnet import random_network, shuffled

from tgsage import spaces
from tgsage.plugins import Later
from tgsage.spaces.cell import blocks
from tgsage.spaces.convnet import numbering
from tgsage.spaces.nasbench201.plugin import NasBench201Settings


def built(space, arch, seed=0, n_classes=4):
    """A network with random weights, shifts and statistics, in double precision and evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = space.build(arch, n_classes).double().eval()
        for name, value in network.state_dict().items():
            if name.endswith(("running_mean", "bias")):
                value.uniform_(-0.5, 0.5)
            elif name.endswith("running_var"):
                value.uniform_(0.5, 1.5)
    return network


def images(size, n=2):
    return torch.randn(n, 3, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(9))


@pytest.fixture(scope="module")
def every_space(tmp_path_factory):
    of = spaces.get("nasbench201", width=3, repeats=1)
    file = tmp_path_factory.mktemp("listed") / "pool.json"
    # Many strings of few functions.
    plain = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")
    strings = [
        f"|{a}~0|+|none~0|{b}~1|+|skip_connect~0|none~1|{c}~2|"
        for a, b, c in itertools.product((*plain[:3], "avg_pool_3x3"), plain, plain)
    ]
    file.write_text(json.dumps(strings))
    return {
        "cell": spaces.get("cell", blocks=1, width=4, reductions=1),
        "nasbench201": of,
        "convnet10": spaces.get("convnet10", filters=(2, 3)),
        "list": spaces.get("list", file=str(file), of=of.settings.plain()),
    }


@pytest.mark.parametrize(
    ("name", "n", "collisions"),
    # Of 100 draws of one-block cells (136 functions) and of NAS-Bench-201, and all 64 of the list.
    [("cell", 100, 20), ("nasbench201", 100, 1), ("convnet10", 60, 0), ("list", 64, 30)],
)
def test_a_key_is_a_function(every_space, name, n, collisions):
    space = every_space[name]
    rng = np.random.default_rng(0)
    archs = list(space.all()) if name == "list" else [space.sample(rng) for _ in range(n)]
    outputs: dict[str, torch.Tensor] = {}
    met = 0
    for arch in archs:
        with torch.no_grad():
            logits = built(space, arch)(images(8))
        key = space.key(arch)
        if key in outputs:
            met += 1
            assert torch.equal(outputs[key], logits)
        outputs[key] = logits
    assert len(archs) == n and met >= collisions
    values = torch.stack(list(outputs.values())).flatten(1)
    distance = torch.cdist(values, values) + 9 * torch.eye(len(values))
    assert distance.min() > 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_renumbered_convnets_are_the_same_function(seed):
    """Built as written, with the weights of the first carried over to the second: equal logits."""
    space = spaces.get("convnet10", filters=(2, 3), strides=(1, 2))
    rng = random.Random(seed)
    labels = [(1, 3, 2, 1), (3, 3, 3, 2), (5, 1, 2, 1)]
    layers, inputs = random_network(rng, 10, labels, 0.3)
    numbered = [(*layer, index) for index, layer in enumerate(layers)]
    moved, sources = shuffled(numbered, inputs, rng)
    order = [layer[-1] for layer in moved]
    one = space._from_network(layers, inputs)
    two = space._from_network([layer[:-1] for layer in moved], sources)
    assert one != two and space.key(one) == space.key(two)
    first, second = (space._assemble(arch, 4, 3).double().eval() for arch in (one, two))
    starts = np.cumsum([0, *(layer[2] for layer in layers)])

    def channels(read, own):
        """Where each input channel of the second network is among those of the first."""
        theirs = {source: np.arange(layers[source][2]) for source in sorted(read)}
        offset = 0
        for source in sorted(read):
            theirs[source] = theirs[source] + offset
            offset += layers[source][2]
        return np.concatenate([theirs[order[source]] for source in own])

    assert starts[-1] == sum(layer[2] for layer in layers)
    for new, old in enumerate(order):
        state = {name: value.clone() for name, value in first.layers[old].state_dict().items()}
        if inputs[old]:
            state["0.weight"] = state["0.weight"][:, channels(inputs[old], sources[new])]
        second.layers[new].load_state_dict(state)
    second.head.load_state_dict(first.head.state_dict())
    second.head.weight.data = first.head.weight.data[:, channels(first.unread, second.unread)]
    x = images(11)
    with torch.no_grad():
        torch.testing.assert_close(first(x), second(x))


@pytest.mark.parametrize(
    ("blocks", "separate", "combinations", "functions"),
    [
        (1, False, 256, 136),
        (1, True, 65_536, 18_496),
        pytest.param(2, False, 147_456, 30_260, marks=pytest.mark.slow),
    ],
)
def test_number_of_cells(blocks, separate, combinations, functions):
    """By enumeration, and by a count that knows nothing of the code: what docs/spaces.md says."""
    space = spaces.get("cell", blocks=blocks, separate_reduction=separate)
    assert space.size == combinations
    assert by_counting(blocks) ** (2 if separate else 1) == functions
    assert len({space.canonical(arch) for arch in space.all()}) == functions


def by_counting(blocks):
    """Functions of cells that are used with stride 2; a side is an input and one of 8 operations."""

    def unordered(n, of=2):  # n things, some of them alike
        return math.comb(n + of - 1, of)

    sides = 2 * 8
    first = unordered(sides)
    if blocks == 1:
        return first
    # Two blocks that do not read each other: an unordered pair of blocks. Otherwise the second reads the
    # first with one side or both. Where one side is an identity of the first block and the other reads a
    # previous cell, three terms are added, in any order.
    reading = unordered(3 * 8) - unordered(sides) - sides
    return unordered(first) + first * reading + unordered(sides, 3)


@pytest.mark.parametrize("module", [blocks, numbering], ids=lambda module: module.__name__)
def test_the_worked_examples(module):
    assert doctest.testmod(module) == doctest.TestResults(0, 1 + (module is numbering))


def test_a_setting_that_came_later_changes_no_key_at_its_default():
    """Candidates and their seeds stay what they were before the setting existed."""

    class GrownSpace(NasBench201Settings):
        squeeze: int = Later(default=0)

    earlier = spaces.get("nasbench201")
    grown, changed = (
        GrownSpace.load()(GrownSpace(name="nasbench201", squeeze=squeeze)) for squeeze in (0, 2)
    )
    arch = next(earlier.all())
    assert grown.key(arch) == earlier.key(arch) != changed.key(arch)
