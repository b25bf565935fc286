"""Which cells are one function: judged by computing them, in whole numbers and so without rounding."""

from __future__ import annotations

import itertools
import random

import networkx
import numpy as np
import pytest
import torch
from test_spaces_cell import labelled_graph, shuffled

from tgsage import spaces
from tgsage.spaces.cell.blocks import OPERATIONS, least_equivalent, sides_of, unused_blocks
from tgsage.store import digest

RANK = {operation: rank for rank, operation in enumerate(OPERATIONS)}
WEIGHTLESS = ("identity", "avg_pool_3x3", "max_pool_3x3")


def has_weights(source, operation, strided):
    return operation not in WEIGHTLESS or (operation == "identity" and strided and source < 2)


def windows(x, stride, edge):
    padded = np.concatenate([[edge], x, [edge]])
    return np.stack([padded[:-2], padded[1:-1], padded[2:]])[:, ::stride]


def outputs(blocks, strided, weights):
    """The cell on signals of whole numbers, its outputs in order of their values.

    ``weights`` has, per side with weights, three of a filter and a shift; the filter of an operation is its
    own besides, so that two operations with the same weights differ. They bend at zero, as all here do after
    a ReLU, but keep what is negative: a few draws could otherwise leave nothing.
    """
    rng = np.random.default_rng(7)
    states = list(rng.integers(-50, 50, size=(2, 80 if strided else 40)))
    taken = iter(weights)
    for block in blocks:
        total = 0
        for source, operation in sides_of(block):
            x, stride = states[source], 2 if strided and source < 2 else 1
            if has_weights(source, operation, strided):
                *kernel, shift = next(taken)
                x = (np.array(kernel)[:, None] * windows(x + 3 * np.maximum(x, 0), stride, 0)).sum(0)
                x = x * (2 + RANK[operation]) + shift
            elif operation == "max_pool_3x3":
                x = windows(x, stride, -(10**15)).max(0)
            elif operation == "avg_pool_3x3":
                # A sum of three, times 6 at the ends and 4 between: a mean without padding, times 12.
                counts = windows(np.ones_like(x), stride, 0).sum(0)
                x = windows(x, stride, 0).sum(0) * (12 // counts)
            total = total + x
        states.append(total)
    return tuple(sorted(tuple(states[2 + index].tolist()) for index in unused_blocks(blocks)))


def function(blocks, strided):
    """What tells two functions apart: the outputs for every way to hand a few weights to the sides."""
    sides = [side for block in blocks for side in sides_of(block) if has_weights(*side, strided)]
    drawn = np.random.default_rng(3).integers(-9, 9, size=(len(sides), 4)).tolist()
    named = sorted(operation for _, operation in sides)
    return named, sorted(outputs(blocks, strided, order) for order in itertools.permutations(drawn))


def written(blocks):
    return [tuple(sorted((source, RANK[o]) for source, o in sides_of(block))) for block in blocks]


def every_cell(n, operations, inputs=(0, 1)):
    """All cells of ``n`` blocks, without those whose sides are not in order."""
    per_block = []
    for block in range(n):
        sources = [*inputs, *range(2, 2 + block)]
        sides = list(itertools.product(sources, sorted(operations, key=RANK.__getitem__)))
        per_block.append([(*a, *b) for a, b in itertools.combinations_with_replacement(sides, 2)])
    return [list(blocks) for blocks in itertools.product(*per_block)]


def check_every(cells, strided):
    """One list for each function, the least: returns the number of functions."""
    classes: dict[str, list] = {}
    for blocks in cells:
        classes.setdefault(repr(function(blocks, strided)), []).append(blocks)
    found = set()
    for members in classes.values():
        least = min(members, key=written)
        assert [least_equivalent(blocks, strided) for blocks in members] == [least] * len(members)
        found.add(repr(least))
    assert len(found) == len(classes)
    return len(found), len(cells)


@pytest.mark.parametrize("strided", [False, True])
@pytest.mark.parametrize(
    "operations",
    [("sep_3x3", "identity", "max_pool_3x3"), ("identity", "avg_pool_3x3", "dil_3x3"), WEIGHTLESS],
)
def test_every_cell_of_two_blocks(operations, strided):
    functions, cells = check_every(every_cell(2, operations), strided)
    assert functions < cells


@pytest.mark.slow
@pytest.mark.parametrize(
    ("operations", "strided"),
    [
        (("sep_3x3", "identity", "max_pool_3x3"), False),
        (("identity", "avg_pool_3x3", "dil_3x3"), False),
        (WEIGHTLESS, False),
        (WEIGHTLESS, True),
    ],
)
def test_every_cell_of_three_blocks_on_one_input(operations, strided):
    functions, cells = check_every(every_cell(3, operations, inputs=(1,)), strided)
    assert functions < cells


def random_cell(rng, n, strided, most_weights=4):
    while True:
        blocks = [
            (rng.randrange(2 + b), rng.choice(OPERATIONS), rng.randrange(2 + b), rng.choice(OPERATIONS))
            for b in range(n)
        ]
        if sum(has_weights(*side, strided) for block in blocks for side in sides_of(block)) <= most_weights:
            return blocks


@pytest.mark.parametrize("strided", [False, True])
def test_the_least_list_is_the_same_function_and_the_same_for_all_orders(strided):
    rng = random.Random(2)
    rewritten = 0
    for _ in range(60):
        blocks = random_cell(rng, 5, strided)
        least = least_equivalent(blocks, strided)
        assert function(least, strided) == function(blocks, strided), blocks
        assert least_equivalent(least, strided) == least
        assert least_equivalent(shuffled(blocks, rng)[0], strided) == least
        rewritten += not networkx.is_isomorphic(
            labelled_graph(least), labelled_graph(blocks), node_match=lambda x, y: x == y
        )
    assert rewritten >= 3


def test_alike_operations_that_read_two_equal_blocks():
    same = [(1, "identity", 1, "identity")] * 2
    cell = [*same, (2, "sep_3x3", 3, "sep_3x3")]
    assert least_equivalent(cell, strided=False) == cell
    # With one of the two unread there is one more output: another function.
    other = [*same, (2, "sep_3x3", 2, "sep_3x3")]
    assert least_equivalent(other, strided=False) == other


SEP, DIL, ONE, AVG, MAX = "sep_3x3", "dil_3x3", "identity", "avg_pool_3x3", "max_pool_3x3"
SAME = {
    # Two cells, and for each side of the second that has weights, the side of the first that it is.
    "a sum in another order": (
        [(0, SEP, 1, DIL), (1, SEP, 2, ONE)],
        [(0, SEP, 1, SEP), (1, DIL, 2, ONE)],
        {(0, 0): (0, 0), (0, 1): (1, 0), (1, 0): (0, 1)},
    ),
    "the average of a sum": (
        [(0, SEP, 1, MAX), (2, ONE, 2, ONE), (2, DIL, 3, AVG)],
        [(0, SEP, 1, MAX), (2, AVG, 2, AVG), (2, DIL, 3, ONE)],
        {(0, 0): (0, 0), (2, 0): (2, 0)},
    ),
    "the maximum of twice the same": (
        [(1, AVG, 1, AVG), (2, ONE, 2, ONE), (2, SEP, 3, MAX)],
        [(1, AVG, 1, AVG), (2, MAX, 2, MAX), (2, SEP, 3, ONE)],
        {(2, 0): (2, 0)},
    ),
    "equal sums": (
        [(1, AVG, 1, MAX), (1, AVG, 1, MAX), (2, SEP, 2, MAX), (3, DIL, 4, ONE)],
        [(1, AVG, 1, MAX), (1, AVG, 1, MAX), (2, SEP, 3, MAX), (2, DIL, 4, ONE)],
        {(2, 0): (2, 0), (3, 0): (3, 0)},
    ),
}


@pytest.mark.parametrize("rule", SAME)
def test_rules_hold_in_networks(rule):
    """Two cells built as written, the weights of the one carried over to the other: equal logits."""
    first, second, came_from = SAME[rule]
    space = spaces.get("cell", blocks=len(first), width=4, reductions=1)
    one, two = (space._from_blocks({"normal": blocks}) for blocks in (first, second))
    assert one != two and space.canonical(one) == space.canonical(two) and space.key(one) == space.key(two)
    torch.manual_seed(0)
    networks = [space._assemble(arch, 3, 3).double().eval() for arch in (one, two)]
    for name, value in networks[0].state_dict().items():
        if name.endswith(("running_mean", "bias")):
            value.uniform_(-0.5, 0.5)
    for name in ("stem", "head"):
        getattr(networks[1], name).load_state_dict(getattr(networks[0], name).state_dict())
    for theirs, own in zip(networks[0].cells, networks[1].cells, strict=True):
        own.projections.load_state_dict(theirs.projections.state_dict())
        for (block, side), (old_block, old_side) in came_from.items():
            weights = theirs.operations[2 * old_block + old_side].state_dict()
            own.operations[2 * block + side].load_state_dict(weights)
    images = torch.randn(2, 3, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits = [network(images) for network in networks]
    torch.testing.assert_close(*logits)
    # With weights of its own the second gives something else: the comparison would have noticed.
    with torch.no_grad():
        assert (space._assemble(two, 3, 3).double().eval()(images) - logits[0]).abs().max() > 1e-3


def test_an_identity_of_a_previous_cell_has_weights_where_it_has_stride():
    """Two of them are not one read twice, unless the cell is never used with stride 2."""
    one = [(1, ONE, 1, ONE), (1, AVG, 1, AVG), (2, AVG, 3, SEP), (2, DIL, 4, SEP)]
    two = [(1, ONE, 1, ONE), (1, AVG, 1, AVG), (3, ONE, 3, SEP), (2, DIL, 4, SEP)]
    other = [(0, SEP, 0, SEP)] * 4
    shared = spaces.get("cell", blocks=4)
    apart = spaces.get("cell", blocks=4, separate_reduction=True)
    assert shared.key(shared._from_blocks({"normal": one})) != shared.key(
        shared._from_blocks({"normal": two})
    )
    assert apart.key(apart._from_blocks({"normal": one, "reduction": other})) == apart.key(
        apart._from_blocks({"normal": two, "reduction": other})
    )
    assert apart.key(apart._from_blocks({"normal": other, "reduction": one})) != apart.key(
        apart._from_blocks({"normal": other, "reduction": two})
    )


def test_the_search_finds_what_it_found_before_it_was_made_faster():
    """4,000 cells of five blocks, of all operations and of few: the digest of what the plain search gave."""
    rng = random.Random(11)
    cells = [
        [(rng.randrange(2 + b), rng.choice(some), rng.randrange(2 + b), rng.choice(some)) for b in range(5)]
        for some in (OPERATIONS, (*WEIGHTLESS, "sep_3x3"))
        for _ in range(1000)
    ]
    found = [least_equivalent(blocks, strided) for blocks in cells for strided in (False, True)]
    assert digest(found)[:16] == "3024a946c40ca33d"
