"""NAS-Bench-201: published strings, the pruning rule, the published networks."""

from __future__ import annotations

import csv
import itertools
import random
import re

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tgsage import spaces
from tgsage.errors import TgsageError
from tgsage.spaces.nasbench201.cells import EDGES, OPERATIONS, function_of, representatives, value_of
from tgsage.spaces.nasbench201.network import NasBench201Cell

ALL_3X3 = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
NOTHING = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
EVERY = tuple(itertools.product(OPERATIONS, repeat=6))


@pytest.fixture(scope="module")
def space():
    return spaces.get("nasbench201", width=4, repeats=1)


@pytest.fixture(scope="module")
def published(data):
    with open(data / "nasbench201" / "accuracy_half.csv", encoding="utf-8", newline="") as handle:
        return [row["architecture"] for row in csv.DictReader(handle)]


def benchmark_text(operations):
    """The benchmark's own text of a topology with zeros and skips resolved, written from its paper's rule."""
    nodes = ["0"]
    for node in (1, 2, 3):
        terms = []
        for (source, target), operation in zip(EDGES, operations, strict=True):
            if target != node:
                continue
            if operation == "none" or nodes[source] == "#":
                terms.append("#")
            elif operation == "skip_connect":
                terms.append(nodes[source])
            else:
                terms.append(f"({nodes[source]})@{operation}")
        nodes.append("+".join(sorted(terms)))
    return nodes[3]


def test_every_published_row_round_trips(space, published):
    assert len(published) == 7809
    listed = [space.parse(text) for text in published]
    for text, arch in zip(published, listed, strict=True):
        assert re.findall(r"(\w+)~", text) == list(space.operations(arch))
        assert space.parse(space.format(arch)) == arch
    assert len(set(listed)) == len(set(published))


def test_number_of_functions(space):
    keys = {space.key(arch) for arch in space.all()}
    assert space.size == len(EVERY) == 15625
    assert len(keys) == len(set(representatives().values())) == 5234
    # The referee's rule gives the number in Dong and Yang 2020, so it is the rule they meant.
    assert len({benchmark_text(operations) for operations in EVERY}) == 6466


def test_published_half_is_nearly_a_union_of_functions(space, published):
    """The file was cut between functions by a rule without the linearity of pooling: 110 of ours are in both
    halves, and all of these pool.
    """
    listed = {space.parse(text) for text in published}
    inside = {}
    for arch in space.all():
        inside.setdefault(space.key(arch), set()).add(arch in listed)
    split = {key for key, found in inside.items() if len(found) == 2}
    assert len(split) == 110
    cells = [arch for arch in space.all() if space.key(arch) in split]
    assert all("avg_pool_3x3" in space.operations(arch) for arch in cells)


def cell(operations, seed=0):
    """A cell in evaluation mode with random weights, shifts and statistics, in double precision."""
    module = NasBench201Cell(operations, 3).double().eval()
    generator = torch.Generator().manual_seed(seed)
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            drawn = torch.rand(value.shape, generator=generator, dtype=torch.float64)
            value.copy_(drawn + 0.5 if name.endswith(("var", "1.weight")) else drawn - 0.5)
    return module


def slow_cell(operations, weights, x):
    """The cell by its definition: nodes are sums of edges; ``weights`` has the module of each convolution."""
    nodes = [x]
    for node in (1, 2, 3):
        total = torch.zeros_like(x)
        for edge, (source, target) in enumerate(EDGES):
            if target != node or operations[edge] == "none":
                continue
            y = nodes[source]
            if operations[edge] == "avg_pool_3x3":
                ones = torch.nn.functional.avg_pool2d(torch.ones_like(y), 3, 1, 1)
                y = torch.nn.functional.avg_pool2d(y, 3, 1, 1) / ones
            elif operations[edge] != "skip_connect":
                y = weights[edge](y.relu())
            total = total + y
        nodes.append(total)
    return nodes[3]


@pytest.fixture(scope="module")
def x():
    return torch.randn(1, 3, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def convolutions(operations):
    return [edge for edge, operation in enumerate(operations) if operation.startswith("nor_conv")]


def test_cell_is_its_definition(x):
    rng = random.Random(0)
    for operations in rng.sample(EVERY, 200):
        module = cell(operations)
        weights = {
            edge: module.edges[f"edge_{EDGES[edge][0]}_{EDGES[edge][1]}"] for edge in convolutions(operations)
        }
        with torch.no_grad():
            torch.testing.assert_close(module(x), slow_cell(operations, weights, x))


def same_function(one, two, x):
    """Whether some assignment of the second's convolutions to the first's makes the outputs equal.

    A convolution of zero is a constant: its batch norm alone decides, so kernels may differ in size.
    """
    module = cell(one, seed=3)
    mine = {edge: module.edges[f"edge_{EDGES[edge][0]}_{EDGES[edge][1]}"] for edge in convolutions(one)}
    with torch.no_grad():
        expected = slow_cell(one, mine, x)
        other = convolutions(two)
        if len(other) > len(mine):
            return False
        return any(
            torch.allclose(
                slow_cell(two, {e: mine[m] for e, m in zip(other, chosen, strict=True)}, x),
                expected,
                atol=1e-10,
            )
            for chosen in itertools.permutations(mine, len(other))
            if alike(one, two, zip(chosen, other, strict=True))
        )


def alike(one, two, pairs):
    """Whether every pair of convolutions has one kernel, or one of the two is of zero."""
    zero = [
        {term[1] for term in every_term(value_of(operations)) if term[0] == "constant"}
        for operations in (one, two)
    ]
    return all(one[a] == two[b] or a in zero[0] or b in zero[1] for a, b in pairs)


def every_term(value):
    for term in value:
        yield term
        yield from every_term(term[-1] if isinstance(term[-1], tuple) else ())


def kinds(operations):
    return sorted(operation for operation in operations if operation.startswith("nor_conv"))


def test_representative_is_the_same_function(x):
    """By brute force over assignments of weights, on cells that are not their own representative."""
    rng = random.Random(0)
    folded = [(one, two) for one, two in representatives().items() if one != two]
    assert len(folded) == 15625 - 5234
    for one, two in rng.sample(folded, 150):
        assert same_function(one, two, x), (one, two)


def test_different_functions_differ(x):
    """Pairs that a coarser rule would merge: shared against separate convolutions, constant against zero."""
    loose = {}
    for two in sorted(set(representatives().values())):
        tree = function_of(two)
        for digit in "012345":
            tree = tree.replace(f"3x3{digit}", "3x3").replace(f"1x1{digit}", "1x1")
        loose.setdefault(tree, []).append(two)
    twins = [members for members in loose.values() if len(members) > 1]
    assert len(twins) > 100
    for members in random.Random(0).sample(twins, 60):
        for one, two in itertools.combinations(members, 2):
            # The one with more convolutions has free weights; it must not be able to mimic with equal ones.
            more, fewer = (one, two) if len(convolutions(one)) >= len(convolutions(two)) else (two, one)
            assert not same_function(more, fewer, x), (one, two)
    constant = ("none", "none", "none", "skip_connect", "nor_conv_1x1", "none")
    without = ("none", "none", "none", "skip_connect", "none", "none")
    assert not same_function(constant, without, x)
    assert function_of(constant) != function_of(without)


def test_random_pairs_of_different_keys_differ(x):
    rng = random.Random(1)
    outputs = {}
    for two in rng.sample(sorted(set(representatives().values())), 400):
        with torch.no_grad():
            outputs[two] = cell(two, seed=5)(x)
    values = torch.stack(list(outputs.values())).flatten(1)
    distance = torch.cdist(values, values) + torch.eye(len(values))
    cells = list(outputs)
    equal = [(cells[a], cells[b]) for a, b in (distance < 1e-8).nonzero().tolist() if a < b]
    assert not equal


@pytest.mark.slow
def test_no_two_functions_give_one_output(x):
    """All functions with one draw of weights, to 7 digits."""
    cells = sorted(set(representatives().values()))
    with torch.no_grad():
        outputs = {tuple((cell(two, seed=5)(x).flatten() * 1e7).round().tolist()) for two in cells}
    assert len(cells) == len(outputs) == 5234


def test_averages_of_sums_and_of_constants(space, x):
    """Pooling is linear, and leaves the constant that a convolution of zero is."""
    pool, skip, conv = "avg_pool_3x3", "skip_connect", "nor_conv_3x3"
    for one, two in (
        # pool(x + pool(x)) and pool(x) + pool(pool(x)), the latter through two nodes.
        ((skip, "none", "none", pool, "none", "none"), ("none", "none", "none", pool, "none", "none")),
        ((pool, skip, skip, "none", "none", pool), (pool, pool, pool, "none", "none", skip)),
        (("none", "none", conv, "none", "none", pool), ("none", "none", conv, "none", "none", skip)),
    ):
        assert function_of(one) == function_of(two) and same_function(one, two, x), (one, two)


def test_published_networks_have_the_published_size():
    """1.531546 M parameters and 220.12 M multiply-adds at most, 0.073306 M and 7.78 M at least."""
    space = spaces.get("nasbench201")
    for text, parameters, multiply_adds in ((ALL_3X3, 1_531_546, 220.12e6), (NOTHING, 73_306, 7.783e6)):
        module = space.build(space.parse(text), 10).eval()
        assert sum(p.numel() for p in module.parameters()) == parameters
        counter = FlopCounterMode(display=False)
        with torch.no_grad(), counter:
            module(torch.zeros(1, 3, 32, 32))
        assert counter.get_total_flops() / 2 == pytest.approx(multiply_adds, rel=1e-4)


def test_probes(space):
    two = spaces.get("nasbench201", width=4, repeats=2, probes="stages")
    arch = two.parse(ALL_3X3)
    assert space.build(space.parse(ALL_3X3), 4).probe_names == tuple(f"cells.{i}" for i in range(5))
    network = two.build(arch, 4).eval()
    assert network.probe_names == ("cells.1", "cells.4", "cells.7")
    shapes = []
    for name in network.probe_names:
        network.get_submodule(name).register_forward_hook(lambda *a: shapes.append(tuple(a[2].shape[1:])))
    network(torch.zeros(1, 3, 16, 16))
    assert shapes == [(4, 16, 16), (8, 8, 8), (16, 4, 4)]


def test_build_drops_what_does_not_reach_the_output(space):
    useless = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|skip_connect~0|none~1|none~2|"
    plain = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    one, two = space.parse(useless), space.parse(plain)
    assert space.key(one) == space.key(two) and one != two
    assert space.canonical(one) == two
    count = sum(p.numel() for p in space.build(one, 4).parameters())
    assert count == sum(p.numel() for p in space.build(two, 4).parameters())


def test_trains_and_refuses_small_images(space):
    network = space.build(space.parse(ALL_3X3), 4)
    for size in (4, 7, 9):
        network(torch.randn(4, 3, size, size)).sum().backward()
    with pytest.raises(TgsageError, match="images of 3 x 3 pixels shrink below 1 pixel"):
        network(torch.zeros(1, 3, 3, 3))


@pytest.mark.parametrize(
    "text", ["|", NOTHING[:-1], NOTHING.replace("~2", "~1"), NOTHING.replace("none~0|+", "none~0|")]
)
def test_wrong_strings_are_refused(space, text):
    with pytest.raises(TgsageError, match="not a string of the benchmark"):
        space.parse(text)


def test_wrong_operation_is_named(space):
    with pytest.raises(TgsageError, match=r"'skip_conect'.*did you mean 'skip_connect'"):
        space.parse(NOTHING.replace("none~2", "skip_conect~2"))


def test_graph(space):
    graph = space.graph(space.parse("|none~0|+|none~0|none~1|+|avg_pool_3x3~0|none~1|none~2|"))
    assert [(e["source"], e["target"], e["operation"]) for e in graph["edges"]] == [
        ("0", "3", "avg_pool_3x3")
    ]
    assert [node["kind"] for node in graph["nodes"]] == ["input", "block", "block", "output"]
