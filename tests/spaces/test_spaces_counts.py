"""Parameters and FLOPs of random architectures, against formulas that walk the architecture, not the module.

The formulas know the text of an architecture and the page on spaces; of the package they use nothing but
``sample``, ``canonical`` and ``encode``. What is tested is ``tgsage.training.counts`` on what spaces build.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from tgsage import spaces
from tgsage.training import count_flops, count_parameters

N = 50
SIZE = 12


class Tally:
    """Adds up convolutions, norms and linear layers; 2 FLOPs per multiply-add, norms count none."""

    def __init__(self):
        self.parameters = self.flops = 0

    def conv(self, inputs, outputs, height, width, pixels, groups=1, norm=True):
        weights = inputs // groups * outputs * height * width
        self.parameters += weights + (2 * outputs if norm else 0)
        self.flops += 2 * weights * pixels

    def linear(self, inputs, outputs):
        self.parameters += inputs * outputs + outputs
        self.flops += 2 * inputs * outputs


def halved(size):
    return (size + 1) // 2


# -- Cells


def cell_stacks(s):
    """(reduction?, channels) per cell, from the settings as the configuration's reference explains them."""
    stem = [(True, max(1, s.width // 2**k)) for k in range(s.stem_reductions, 0, -1)]
    stacks = [[(False, s.width)] * s.repeats]
    width, dropped = s.width, s.drop_reductions
    left = stem[dropped:]
    dropped = max(0, dropped - len(stem))
    for number in range(s.reductions):
        kept = number >= dropped
        width = 2 * width if kept else width
        stacks.append([(True, width)] * kept + [(False, width)] * s.repeats)
    return left + [cell for stack in stacks for cell in stack]


def cell_operation(tally, operation, channels, size, strided, twice):
    """Add one operation that reads ``size`` pixels a side."""
    out = halved(size) if strided else size
    if operation.startswith("sep_"):
        kernel = int(operation[-1])
        for _ in range(2 if twice else 1):
            tally.conv(channels, channels, kernel, kernel, out**2, groups=channels, norm=False)
            tally.conv(channels, channels, 1, 1, out**2)
    elif operation == "conv_1x7_7x1":
        # The first convolution strides along the rows only.
        tally.conv(channels, channels, 1, 7, size * out)
        tally.conv(channels, channels, 7, 1, out**2)
    elif operation == "dil_3x3":
        tally.conv(channels, channels, 3, 3, out**2)
    elif operation == "identity" and strided:
        tally.conv(channels, channels, 1, 1, out**2)


def count_cell(s, choices, n_classes, size):
    tally = Tally()
    cells = cell_stacks(s)
    stem = cells[0][1] if cells[0][0] else s.width
    size = halved(size) if s.stem_stride == 2 else size
    tally.conv(3, stem, 3, 3, size**2)
    # (channels, pixels a side) of the cell before the last and of the last.
    before, last = (stem, size), (stem, size)
    for reduction, width in cells:
        prefix = ("reduction." if reduction else "normal.") if s.separate_reduction else ""
        blocks = [
            [(choices[f"{prefix}b{b}.input_{side}"], choices[f"{prefix}b{b}.operation_{side}"])
             for side in (1, 2)]
            for b in range(1, s.blocks + 1)
        ]  # fmt: skip
        read = {source for block in blocks for source, _ in block}
        size = last[1]
        out = halved(size) if reduction else size
        for name, (channels, _) in (("h-2", before), ("h-1", last)):
            if name in read:
                # A factorized reduction of the larger input has as many weights and results as a 1x1.
                tally.conv(channels, width, 1, 1, size**2)
        for block in blocks:
            for source, operation in block:
                outside = source in ("h-2", "h-1")
                cell_operation(
                    tally, operation, width, size if outside else out, reduction and outside,
                    s.separable_twice,
                )  # fmt: skip
        unused = sum(f"b{b}" not in read for b in range(1, s.blocks + 1))
        before, last = last, (width * unused, out)
    tally.linear(last[0], n_classes)
    return tally


CELLS = [
    {"blocks": 5, "width": 8},
    {"blocks": 4, "width": 6, "repeats": 2, "separable_twice": True},
    {"blocks": 3, "width": 8, "separate_reduction": True, "stem_reductions": 2, "reductions": 1},
    {"blocks": 2, "width": 5, "stem_stride": 2, "reductions": 1},
    {"blocks": 3, "width": 8, "stem_reductions": 2, "drop_reductions": 2},
    {"blocks": 3, "width": 8, "stem_reductions": 1, "drop_reductions": 2, "repeats": 2},
]


# -- NAS-Bench-201

EDGES = ("0_1", "0_2", "1_2", "0_3", "1_3", "2_3")


def count_nasbench(s, choices, n_classes, size):
    """``choices`` are canonical: no edge of them is left out."""
    tally = Tally()
    width = s.width
    tally.conv(3, width, 3, 3, size**2)
    for stack in range(3):
        if stack:
            size, width = halved(size), 2 * width
            tally.conv(width // 2, width, 3, 3, size**2)
            tally.conv(width, width, 3, 3, size**2)
            tally.conv(width // 2, width, 1, 1, size**2, norm=False)
        for _ in range(s.repeats):
            for edge in EDGES:
                operation = choices[f"edge_{edge}"]
                if operation.startswith("nor_conv"):
                    tally.conv(width, width, int(operation[-1]), int(operation[-1]), size**2)
    tally.parameters += 2 * width  # the last batch norm
    tally.linear(width, n_classes)
    return tally


# -- Convnets


def count_convnet(s, choices, n_classes, size):
    tally = Tally()
    sizes, filters, read = {}, {}, set()
    for layer in range(1, s.layers + 1):
        sources = [j for j in range(1, layer) if choices[f"l{layer}.from_{j}"]]
        read |= set(sources)
        height = max([sizes[j][0] for j in sources], default=size)
        width = max([sizes[j][1] for j in sources], default=size)
        stride = choices[f"l{layer}.stride"]
        sizes[layer] = (-(-height // stride), -(-width // stride))
        filters[layer] = choices[f"l{layer}.filters"]
        tally.conv(
            sum(filters[j] for j in sources) or 3, filters[layer],
            choices[f"l{layer}.height"], choices[f"l{layer}.width"], sizes[layer][0] * sizes[layer][1],
        )  # fmt: skip
    tally.linear(sum(filters[j] for j in filters if j not in read), n_classes)
    return tally


def compare(space, count, settings, n, seed=0, size=SIZE):
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        arch = space.sample(rng)
        module = space.build(arch, 7)
        of = getattr(space, "of", space)
        tally = count(settings, of.encode(of.canonical(arch)), 7, size)
        assert count_parameters(module) == tally.parameters, space.format(arch)
        assert count_flops(module, size) == tally.flops, space.format(arch)
        found.append((tally.parameters, tally.flops))
    # A formula that gave one number for all would pass for the wrong reason.
    assert len(set(found)) > n / 4
    return found


@pytest.mark.parametrize("options", CELLS, ids=lambda options: "-".join(map(str, options.values())))
def test_cells(options):
    space = spaces.get("cell", **options)
    compare(space, count_cell, space.settings, N if options is CELLS[0] else 12)


@pytest.mark.parametrize("options", [{"width": 4, "repeats": 1}, {"width": 3, "repeats": 2}])
def test_nasbench201(options):
    space = spaces.get("nasbench201", **options)
    compare(space, count_nasbench, space.settings, N, size=13)


@pytest.mark.parametrize("name", ["convnet10", "convnet20"])
def test_convnets(name):
    space = spaces.get(name, filters=(2, 3, 5))
    compare(space, count_convnet, space.settings, N, size=11)


@pytest.mark.parametrize("name", ["convnet10", "convnet20"])
def test_convnets_as_published(name):
    """With the published numbers of filters."""
    space = spaces.get(name)
    compare(space, count_convnet, space.settings, 4, size=6)


def test_lists(tmp_path):
    of = spaces.get("cell", blocks=4, width=6)
    rng = np.random.default_rng(5)
    file = tmp_path / "pool.json"
    file.write_text(json.dumps([of.format(of.sample(rng)) for _ in range(200)]))
    space = spaces.get("list", file=str(file), of=of.settings.plain())
    compare(space, count_cell, of.settings, N)


def test_the_samplers_count_alike():
    """Constraints are counted without memory, on torch's meta device; the numbers are these."""
    from tgsage.samplers.cost import cost

    space = spaces.get("cell", blocks=4, width=6)
    rng = np.random.default_rng(6)
    for _ in range(10):
        arch = space.canonical(space.sample(rng))
        tally = count_cell(space.settings, space.encode(arch), 7, SIZE)
        assert cost(space, arch, SIZE, 7) == (tally.parameters, tally.flops)
