"""What may change between a search and the mature network: overrides of settings, the separable variant."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from tgsage import spaces
from tgsage.errors import TgsageError
from tgsage.spaces.cell.plugin import CellSettings
from tgsage.training import count_flops, count_parameters

# Bashivan et al. 2019: the first two reduction cells were dropped in the search.
SEARCHED = {
    "name": "cell", "blocks": 4, "width": 8, "repeats": 1, "reductions": 2, "stem_reductions": 2,
    "drop_reductions": 2,
}  # fmt: skip
MATURE = {"drop_reductions": 0, "width": 16, "repeats": 2}


def test_one_text_builds_in_the_search_and_in_the_mature_network():
    searched = spaces.get(SEARCHED)
    settings = spaces.with_overrides(SEARCHED, MATURE)
    assert isinstance(settings, CellSettings) and settings.plain() == {**searched.settings.plain(), **MATURE}
    mature = spaces.get(settings)
    rng = np.random.default_rng(0)
    keys = []
    for _ in range(20):
        arch = searched.canonical(searched.sample(rng))
        text = searched.format(arch)
        assert mature.parse(text) == arch == mature.canonical(arch) and mature.format(arch) == text
        keys.append((searched.key(arch), mature.key(arch)))
    # The key is that of a function, and the mature network is another function.
    assert not {one for one, _ in keys} & {two for _, two in keys}
    # Equal in the one exactly where equal in the other.
    archs = [searched.sample(rng) for _ in range(20)]
    archs += [searched.canonical(arch) for arch in archs]
    for one in archs:
        for two in archs:
            assert (searched.key(one) == searched.key(two)) == (mature.key(one) == mature.key(two))


def test_dropped_reductions_are_back():
    searched, mature = spaces.get(SEARCHED), spaces.get(spaces.with_overrides(SEARCHED, MATURE))
    arch = searched.sample(np.random.default_rng(0))
    small, large = searched.build(arch, 4).eval(), mature.build(arch, 4).eval()
    assert (small.least_size, large.least_size) == (4, 16)
    assert len(small.probe_names) == 5 and len(large.probe_names) == 10
    large(torch.zeros(1, 3, 64, 64))
    assert count_parameters(large) > 4 * count_parameters(small)


def test_overrides_take_what_they_are_given():
    settings = spaces.get(SEARCHED).settings
    assert spaces.with_overrides(settings, {}) == settings == spaces.with_overrides(settings.plain(), {})
    nasbench = spaces.with_overrides({"name": "nasbench201", "width": 4}, {"repeats": 2, "probes": "stages"})
    assert (nasbench.width, nasbench.repeats, nasbench.probes) == (4, 2, "stages")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"widht": 16}, r"unknown override of space cell 'widht' \(did you mean 'width'\?\)"),
        ({"name": "nasbench201"}, r"unknown override of space cell 'name'"),
        ({"width": 16, "blocks": 3}, r"^blocks: changes the choices of space cell"),
        ({"separate_reduction": True}, r"^separate_reduction: changes the choices"),
        ({"width": 1}, r"space cell: width: input should be greater than or equal to 4"),
        ({"drop_reductions": 5}, r"drop_reductions: 5 is more than the 4 reduction cells"),
    ],
    ids=["unknown", "name", "blocks", "separate", "range", "together"],
)
def test_overrides_that_are_refused(overrides, message):
    with pytest.raises(TgsageError, match=message) as caught:
        spaces.with_overrides(SEARCHED, overrides)
    assert "\n" not in str(caught.value)


def test_convnets_have_nothing_but_choices():
    with pytest.raises(TgsageError, match=r"^filters: changes the choices of space convnet10"):
        spaces.with_overrides({"name": "convnet10"}, {"filters": [8, 16]})


def test_a_list_takes_the_overrides_of_its_space(tmp_path):
    of = spaces.get(SEARCHED)
    arch = of.sample(np.random.default_rng(0))
    file = tmp_path / "pool.json"
    file.write_text(json.dumps([of.format(arch)]))
    settings = {"name": "list", "file": str(file), "of": SEARCHED}
    mature = spaces.get(spaces.with_overrides(settings, {"of": MATURE}))
    assert mature.of.settings.plain() == {**of.settings.plain(), **MATURE}
    assert mature.parse(of.format(arch)) == arch
    with pytest.raises(TgsageError, match=r"unknown override of space list 'file'"):
        spaces.with_overrides(settings, {"file": "other.json"})
    with pytest.raises(TgsageError, match=r"blocks: changes the choices of space cell"):
        spaces.with_overrides(settings, {"of": {"blocks": 2}})
    with pytest.raises(TgsageError, match=r"of: an override of space list must be a mapping"):
        spaces.with_overrides(settings, {"of": 3})


# -- The separable variant


def cell(*sides, **options):
    """A cell of (input, operation) sides, two a block."""
    space = spaces.get("cell", blocks=len(sides) // 2, width=8, reductions=1, **options)
    names = list(space.choices)
    values = [value for side in sides for value in side]
    return space, space.decode(dict(zip(names, values, strict=True)))


def test_the_pair_becomes_a_separable_convolution():
    space, arch = cell(
        ("h-2", "conv_1x7_7x1"), ("h-1", "sep_3x3"), ("b1", "conv_1x7_7x1"), ("h-1", "identity")
    )
    before = arch.choices
    variant = space.separable(arch)
    assert arch.choices == before
    assert dict(variant.choices) == {
        **dict(arch.choices),
        "b1.operation_1": "sep_7x7",
        "b2.operation_1": "sep_7x7",
    }
    assert space.parse(space.format(variant)) == variant == space.decode(space.encode(variant))
    assert space.key(variant) != space.key(arch) == space.key(space.canonical(arch))


def test_parameters_and_flops_by_hand():
    """Per pair and cell: 2 (7 c^2 + 2 c) weights become 49 c + c^2 + 2 c; c = 8, on 8 x 8 pixels."""
    space, arch = cell(("h-1", "conv_1x7_7x1"), ("h-1", "identity"))
    space = spaces.get(space.settings, reductions=0)
    pair, separable = space.build(arch, 4), space.build(space.separable(arch), 4)
    c = 8
    assert count_parameters(pair) - count_parameters(separable) == 2 * (7 * c * c + 2 * c) - (51 * c + c * c)
    assert count_flops(pair, 8) - count_flops(separable, 8) == 2 * 64 * (14 * c * c - 49 * c - c * c)


def test_shapes_and_probes_stay():
    space = spaces.get(SEARCHED)
    rng = np.random.default_rng(1)
    changed = 0
    for _ in range(10):
        arch = space.sample(rng)
        variant = space.separable(arch)
        has = "conv_1x7_7x1" in dict(arch.choices).values()
        assert (variant != arch) == has
        changed += has
        assert "conv_1x7_7x1" not in dict(variant.choices).values()
        assert space.separable(variant) == variant
        one, two = space.build(arch, 4).eval(), space.build(variant, 4).eval()
        assert one.probe_names == two.probe_names
        with torch.no_grad():
            assert one(torch.zeros(2, 3, 16, 16)).shape == two(torch.zeros(2, 3, 16, 16)).shape == (2, 4)
    assert changed >= 3


def test_the_variant_of_the_canonical_form_is_the_same_function():
    """Though the order of operations, and with it the order of blocks, may change."""
    space = spaces.get("cell", blocks=4)
    rng = np.random.default_rng(2)
    moved = 0
    for _ in range(200):
        arch = space.sample(rng)
        of_canonical = space.separable(space.canonical(arch))
        assert space.key(space.separable(arch)) == space.key(of_canonical)
        moved += space.canonical(of_canonical) != of_canonical
    assert moved > 1


def test_both_cells_are_changed_where_they_are_apart():
    space = spaces.get("cell", blocks=1, separate_reduction=True)
    arch = next(a for a in space.all() if [v for _, v in a.choices].count("conv_1x7_7x1") == 4)
    assert [value for _, value in space.separable(arch).choices].count("sep_7x7") == 4


def test_a_stranger_is_refused():
    other = spaces.get("nasbench201")
    with pytest.raises(TgsageError, match="of space 'nasbench201'"):
        spaces.get(SEARCHED).separable(next(other.all()))
    assert not hasattr(other, "separable")
