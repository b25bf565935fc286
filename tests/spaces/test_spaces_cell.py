"""The cell space: what is the same function, and what is built."""

from __future__ import annotations

import itertools
import random

import networkx
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from tgsage import spaces
from tgsage.errors import TgsageError
from tgsage.spaces.cell.blocks import OPERATIONS, least_equivalent, unused_blocks
from tgsage.spaces.cell.network import layout


def tiny(**options):
    return spaces.get("cell", **{"width": 4, "reductions": 1, **options})


def labelled_graph(blocks):
    """A cell as a labelled graph: the previous cells and operations are nodes, so are sums."""
    graph = networkx.DiGraph()
    graph.add_node(0, label="h-2")
    graph.add_node(1, label="h-1")
    for index, (input_1, operation_1, input_2, operation_2) in enumerate(blocks):
        graph.add_node(2 + index, label="sum")
        for side, (source, operation) in enumerate(((input_1, operation_1), (input_2, operation_2))):
            graph.add_node((index, side), label=operation)
            graph.add_edge(source, (index, side))
            graph.add_edge((index, side), 2 + index)
    return graph


def shuffled(blocks, rng):
    """The same cell, its blocks in another order that inputs allow, its sides swapped at random."""
    left, order = set(range(len(blocks))), []
    while left:
        ready = [b for b in left if all(s < 2 or s - 2 in order for s in (blocks[b][0], blocks[b][2]))]
        chosen = rng.choice(sorted(ready))
        order.append(chosen)
        left.remove(chosen)

    def moved(source):
        return source if source < 2 else 2 + order.index(source - 2)

    result = []
    for index in order:
        input_1, operation_1, input_2, operation_2 = blocks[index]
        sides = [(moved(input_1), operation_1), (moved(input_2), operation_2)]
        rng.shuffle(sides)
        result.append((*sides[0], *sides[1]))
    return result, order


def random_blocks(rng, n, operations=OPERATIONS):
    return [
        (rng.randrange(2 + b), rng.choice(operations), rng.randrange(2 + b), rng.choice(operations))
        for b in range(n)
    ]


def test_without_identities_the_least_list_is_the_least_of_all_orders():
    rng = random.Random(0)
    rank = {operation: index for index, operation in enumerate(OPERATIONS)}
    for _ in range(60):
        blocks = random_blocks(rng, rng.randint(1, 5), OPERATIONS[:3])
        every = []
        for order in itertools.permutations(range(len(blocks))):
            place = {old: new for new, old in enumerate(order)}
            if any(s >= 2 and place[s - 2] >= place[b] for b, k in enumerate(blocks) for s in (k[0], k[2])):
                continue
            listed = []
            for old in order:
                sides = sorted(
                    (s if s < 2 else 2 + place[s - 2], rank[o]) for s, o in (blocks[old][:2], blocks[old][2:])
                )
                listed.append(tuple(sides))
            every.append(listed)
        expected = [(a, OPERATIONS[p], b, OPERATIONS[q]) for (a, p), (b, q) in min(every)]
        assert least_equivalent(blocks, strided=True) == least_equivalent(blocks, strided=False) == expected


def test_keys_agree_with_graph_isomorphism():
    """Where every operation has weights: one key exactly when networkx finds the graphs isomorphic."""
    space = tiny(blocks=3)
    rng = random.Random(1)
    archs = []
    for _ in range(40):
        blocks = random_blocks(rng, 3, ("dil_3x3", "sep_3x3"))
        archs.append(blocks)
        archs.append(shuffled(blocks, rng)[0])
    keys = [space.key(space._from_blocks({"normal": blocks})) for blocks in archs]
    graphs = [labelled_graph(blocks) for blocks in archs]

    def same(a, b):
        return networkx.is_isomorphic(a, b, node_match=lambda x, y: x["label"] == y["label"])

    equal = 0
    for a, b in itertools.combinations(range(len(archs)), 2):
        assert (keys[a] == keys[b]) == same(graphs[a], graphs[b]), (archs[a], archs[b])
        equal += keys[a] == keys[b]
    assert equal >= 40


@pytest.mark.parametrize("seed", range(6))
def test_canonical_form_is_the_same_function(seed):
    """Build a shuffled cell as written, carry the weights over, and get the same logits."""
    space = tiny(blocks=4, reductions=1, repeats=1)
    rng = random.Random(seed)
    blocks = random_blocks(rng, 4)
    other, order = shuffled(blocks, rng)
    first = space._assemble(space._from_blocks({"normal": blocks}), 3, 3).double().eval()
    second = space._assemble(space._from_blocks({"normal": other}), 3, 3).double().eval()
    second.stem.load_state_dict(first.stem.state_dict())
    channels = [first.stem[0].out_channels] * 2
    permutations = [torch.arange(channels[0])] * 2
    for one, two in zip(first.cells, second.cells, strict=True):
        for name, channel_order in zip(("h-2", "h-1"), permutations, strict=True):
            if name in one.projections:
                state = one.projections[name].state_dict()
                for key, value in state.items():
                    if value.ndim == 4:
                        state[key] = value[:, channel_order]
                two.projections[name].load_state_dict(state)
        for new, old in enumerate(order):
            for side in range(2):
                # The side of the old block that this one was: the same operation on the same input.
                source, operation = other[new][2 * side : 2 * side + 2]
                source = source if source < 2 else 2 + order[source - 2]
                sides = [blocks[old][:2], blocks[old][2:]]
                match = sides.index((source, operation))
                if sides[0] == sides[1]:
                    match = side
                two.operations[2 * new + side].load_state_dict(one.operations[2 * old + match].state_dict())
        # Which channels of the first network stand where in the concatenation of the second.
        width = one.outputs // len(one.unused)
        first_at = {old: index for index, old in enumerate(one.unused)}
        moved = torch.cat([torch.arange(width) + width * first_at[order[new]] for new in two.unused])
        permutations = [permutations[1], moved]
    second.head.weight.data = first.head.weight.data[:, permutations[1]]
    second.head.bias.data = first.head.bias.data
    images = torch.randn(2, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        torch.testing.assert_close(first(images), second(images))


def seeded_build(space, arch, seed=0, n_classes=4):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return space.build(arch, n_classes)


def test_equal_keys_give_equal_outputs_and_different_keys_different_ones():
    space = tiny(blocks=2, reductions=0)
    rng = np.random.default_rng(0)
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    outputs: dict[str, torch.Tensor] = {}
    repeated = 0
    for _ in range(150):
        arch = space.sample(rng)
        blocks, _ = shuffled(space.blocks(arch)["normal"], random.Random(0))
        for same in (arch, space._from_blocks({"normal": blocks})):
            key = space.key(same)
            with torch.no_grad():
                logits = seeded_build(space, same)(images)
            if key in outputs:
                repeated += 1
                assert torch.equal(outputs[key], logits)
            outputs[key] = logits
    assert repeated >= 150
    values = torch.stack(list(outputs.values())).flatten(1)
    distance = torch.cdist(values.double(), values.double()) + torch.eye(len(values)) * 9
    assert len(values) > 100
    assert distance.min() > 1e-6


def slow_forward(network, cells, blocks, images):
    """The docstring of the space, read aloud: no shared ReLUs, no skipped projections."""

    def norm(x, layer):
        return functional.batch_norm(x, layer.running_mean, layer.running_var, layer.weight, layer.bias)

    x = norm(functional.conv2d(images, network.stem[0].weight, stride=1, padding=1), network.stem[1])
    previous = [x, x]
    for cell, (reduction, _) in zip(network.cells, cells, strict=True):
        states = []
        for name, source in zip(("h-2", "h-1"), previous, strict=True):
            states.append(cell.projections[name](source.relu()) if name in cell.projections else None)
        for index, (input_1, operation_1, input_2, operation_2) in enumerate(blocks):
            total = 0
            for side, (source, operation) in enumerate(((input_1, operation_1), (input_2, operation_2))):
                stride = 2 if reduction and source < 2 else 1
                y, layers = states[source], list(cell.operations[2 * index + side].children())
                if operation.startswith("sep"):
                    kernel = int(operation[-1])
                    y = functional.conv2d(
                        y.relu(), layers[0].weight, stride=stride, padding=kernel // 2, groups=y.shape[1]
                    )
                    y = norm(functional.conv2d(y, layers[1].weight), layers[2])
                elif operation == "conv_1x7_7x1":
                    y = functional.conv2d(y.relu(), layers[0][0].weight, stride=(1, stride), padding=(0, 3))
                    y = norm(y, layers[0][1]).relu()
                    y = functional.conv2d(y, layers[2][0].weight, stride=(stride, 1), padding=(3, 0))
                    y = norm(y, layers[2][1])
                elif operation == "dil_3x3":
                    y = functional.conv2d(y.relu(), layers[0].weight, stride=stride, padding=2, dilation=2)
                    y = norm(y, layers[1])
                elif operation == "max_pool_3x3":
                    y = functional.max_pool2d(y, 3, stride, 1)
                elif operation == "avg_pool_3x3":
                    ones = functional.avg_pool2d(torch.ones_like(y), 3, stride, 1)
                    y = functional.avg_pool2d(y, 3, stride, 1) / ones
                elif stride == 2:
                    reduce = cell.operations[2 * index + side]
                    shifted = functional.pad(y.relu(), (0, 1, 0, 1))[:, :, 1:, 1:]
                    halves = [
                        functional.conv2d(y.relu(), reduce.even.weight, stride=2),
                        functional.conv2d(shifted, reduce.odd.weight, stride=2)[
                            :, :, : (y.shape[2] + 1) // 2, : (y.shape[3] + 1) // 2
                        ],
                    ]
                    y = norm(torch.cat(halves, 1), reduce.norm)
                total = total + y
            states.append(total)
        used = {block[0] for block in blocks} | {block[2] for block in blocks}
        output = torch.cat([s for i, s in enumerate(states) if i >= 2 and i not in used], 1)
        previous = [previous[1], output]
    features = previous[1].relu().mean((2, 3))
    return features @ network.head.weight.T + network.head.bias


@pytest.mark.parametrize("size", [8, 11])
def test_network_is_what_the_docstring_says(size):
    space = tiny(blocks=5, repeats=1, reductions=2)
    rng = np.random.default_rng(size)
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1)).double()
    for _ in range(6):
        arch = space.canonical(space.sample(rng))
        network = seeded_build(space, arch).double()
        # Statistics other than 0 and 1, so that a missing batch norm would show.
        network(images)
        network.eval()
        with torch.no_grad():
            torch.testing.assert_close(
                network(images),
                slow_forward(network, layout(space.settings), space.blocks(arch)["normal"], images),
            )


def test_the_comparison_saw_every_operation_with_both_strides():
    space = tiny(blocks=5, repeats=1, reductions=2)
    seen = set()
    for size in (8, 11):
        rng = np.random.default_rng(size)
        for _ in range(6):
            for block in space.blocks(space.canonical(space.sample(rng)))["normal"]:
                seen |= {(operation, source < 2) for source, operation in (block[:2], block[2:])}
    assert seen == {(operation, strided) for operation in OPERATIONS for strided in (True, False)}


def test_probes_are_the_cell_outputs():
    space = tiny(blocks=3, repeats=2, reductions=2)
    network = space.build(space.sample(np.random.default_rng(0)), 4).eval()
    assert network.probe_names == tuple(f"cells.{index}" for index in range(8))
    shapes = []
    for name in network.probe_names:
        network.get_submodule(name).register_forward_hook(lambda *a: shapes.append(a[2].shape))
    network(torch.zeros(1, 3, 16, 16))
    cells = [network.get_submodule(name) for name in network.probe_names]
    assert [shape[1] for shape in shapes] == [cell.outputs for cell in cells]
    assert [shape[2] for shape in shapes] == [16, 16, 8, 8, 8, 4, 4, 4]


def test_layout_of_reductions():
    settings = spaces.get("cell", width=16, repeats=2, reductions=2, stem_reductions=2).settings
    full = [(True, 4), (True, 8), (False, 16), (False, 16), (True, 32), (False, 32), (False, 32),
            (True, 64), (False, 64), (False, 64)]  # fmt: skip
    assert layout(settings) == full
    # Study 4: the first two reduction cells dropped in search.
    dropped = spaces.get(settings, drop_reductions=2).settings
    assert layout(dropped) == full[2:]
    third = spaces.get(settings, drop_reductions=3).settings
    assert layout(third) == [(False, 16)] * 4 + [(True, 32)] + [(False, 32)] * 2


def test_images_that_shrink_away_are_refused_in_one_line():
    space = tiny(blocks=1, reductions=2, stem_stride=2)
    network = space.build(space.sample(np.random.default_rng(0)), 4).eval()
    network(torch.zeros(1, 3, 8, 8))
    with pytest.raises(TgsageError, match=r"7 x 9 pixels shrink below 1 pixel.*at least 8 x 8"):
        network(torch.zeros(1, 3, 7, 9))


@pytest.mark.parametrize("options", [{}, {"separate_reduction": True}, {"separable_twice": True},
                                     {"stem_reductions": 2}, {"reductions": 0}, {"width": 5}])  # fmt: skip
def test_every_option_trains(options):
    space = tiny(blocks=3, **options)
    arch = space.sample(np.random.default_rng(3))
    network = space.build(arch, 4)
    network(torch.randn(4, 3, 16, 16)).square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_in_place_trouble_is_absent():
    """Every operation may read every state: gradients agree with finite differences."""
    space = tiny(blocks=3, reductions=1, width=4)
    rng = np.random.default_rng(5)
    for _ in range(4):
        network = seeded_build(space, space.sample(rng)).double().eval()
        images = torch.randn(1, 3, 4, 4, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(network, (images,), fast_mode=True)


def test_separate_reduction_cell_is_searched():
    space = tiny(blocks=2, separate_reduction=True)
    assert len(space.choices) == 16
    arch = space.sample(np.random.default_rng(0))
    changed = dict(arch.choices)
    current = changed["reduction.b2.operation_1"]
    changed["reduction.b2.operation_1"] = next(o for o in OPERATIONS if o != current)
    assert space.key(arch) != space.key(space.decode(changed))
    one, two = space.blocks(arch)["normal"], space.blocks(arch)["reduction"]
    network = space._assemble(arch, 4, 3)
    assert [list(cell.blocks) for cell in network.cells] == [one, two, one]


def test_settings_are_part_of_the_key():
    arch = tiny(blocks=2).sample(np.random.default_rng(0))
    keys = {tiny(blocks=2, **options).key(arch) for options in ({}, {"width": 8}, {"separable_twice": True})}
    assert len(keys) == 3


def test_format_and_parse_are_inverse():
    space = tiny()
    rng = np.random.default_rng(0)
    for _ in range(20):
        arch = space.sample(rng)
        assert space.parse(space.format(arch)) == arch
        assert space.decode(space.encode(arch)) == arch
        canonical = space.canonical(arch)
        assert space.canonical(canonical) == canonical
        assert len(space.key(arch)) == 16 and int(space.key(arch), 16) >= 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not the JSON"),
        ("[]", "needs the keys"),
        ('{"space":"cel","choices":{}}', "of space 'cel'"),
        ('{"space":"cell","choices":{}}', "'b1.input_1' is missing"),
        ('{"space":"cell","choices":{"b1.inptu_1":"h-1"}}', "did you mean 'b1.input_1'"),
    ],
)
def test_parse_says_what_is_wrong(text, message):
    with pytest.raises(TgsageError, match=message) as caught:
        tiny().parse(text)
    assert "\n" not in str(caught.value)


def test_wrong_values_are_refused():
    space = tiny()
    choices = space.encode(space.sample(np.random.default_rng(0)))
    with pytest.raises(TgsageError, match=r"b1.operation_1.*'sep_3x4'.*did you mean 'sep_3x3'"):
        space.decode({**choices, "b1.operation_1": "sep_3x4"})
    with pytest.raises(TgsageError, match=r"b1.input_2"):
        space.decode({**choices, "b1.input_2": "b1"})


def test_get_says_what_is_wrong():
    with pytest.raises(TgsageError, match=r"unknown search space 'cel'.*did you mean 'cell'"):
        spaces.get("cel")
    with pytest.raises(TgsageError, match="space cell: width"):
        spaces.get("cell", width=1)
    with pytest.raises(TgsageError, match="drop_reductions: 3 is more than the 2"):
        spaces.get("cell", drop_reductions=3)


def test_mutation_changes_the_function():
    space = tiny()
    rng = np.random.default_rng(0)
    arch = space.sample(rng)
    for _ in range(50):
        child = space.mutate(arch, rng)
        assert child == space.canonical(child) and space.key(child) != space.key(arch)
        arch = child


def test_graph_describes_the_canonical_form():
    space = tiny(blocks=5)
    arch = space.sample(np.random.default_rng(2))
    graph = space.graph(arch)
    blocks = space.blocks(space.canonical(arch))["normal"]
    nodes = {node["id"]: node for node in graph["nodes"]}
    assert len(nodes) == len(graph["nodes"]) == 2 + 5 + 1
    assert [nodes[f"b{k + 1}"]["operations"] for k in range(5)] == [[b[1], b[3]] for b in blocks]
    names = ["h-2", "h-1", *(f"b{k + 1}" for k in range(5))]
    expected = [(names[b[s]], f"b{k + 1}", b[s + 1]) for k, b in enumerate(blocks) for s in (0, 2)]
    expected += [(f"b{k + 1}", "output", "concat") for k in unused_blocks(blocks)]
    assert [(e["source"], e["target"], e["operation"]) for e in graph["edges"]] == expected
    assert space.graph(arch) == graph


def test_parameters_of_one_cell_by_hand():
    """One block, separable 3x3 + identity on the last cell: every parameter counted by hand."""
    space = tiny(blocks=1, reductions=0, width=8)
    arch = space.decode(
        {"b1.input_1": "h-1", "b1.operation_1": "sep_3x3", "b1.input_2": "h-1", "b1.operation_2": "identity"}
    )
    network = space.build(arch, 10)
    stem = 3 * 8 * 9 + 16
    projection = 8 * 8 + 16
    separable = 8 * 9 + 8 * 8 + 16
    head = 8 * 10 + 10
    assert sum(p.numel() for p in network.parameters()) == stem + projection + separable + head
    assert isinstance(network.head, nn.Linear)
