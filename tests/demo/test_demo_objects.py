from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tgsage.demo.rendering import CATEGORIES, OBJECTS
from tgsage.demo.rendering.objects import _TABLE, make_solid
from tgsage.demo.rendering.solids import ball, box, prism, tube
from tgsage.errors import TgsageError

CORNERS = [[-1.0, 0.0], [1.0, 0.0], [0.0, 2.0]]


@pytest.mark.parametrize(
    ("line", "solid"),
    [
        (
            {"ball": [0.1, 0.2, 0.3], "radii": [1.0, 2.0, 3.0], "albedo": 0.4},
            ball((0.1, 0.2, 0.3), (1, 2, 3), 0.4),
        ),
        (
            {"box": [0, 0, 1], "half": [1, 2, 3], "albedo": 0.4, "plain": True},
            box((0, 0, 1), (1, 2, 3), 0.4, pattern=0),
        ),
        (
            {"tube": [[0, 0, 0], [0, 1, 0]], "radii": [0.5, 0.1], "flatten": 0.6, "albedo": 1.0},
            tube((0, 0, 0), (0, 1, 0), 0.5, 1, radius_end=0.1, flatten=0.6),
        ),
        ({"prism": CORNERS, "axis": "y", "reach": [-1, 2], "albedo": 0.5}, prism(CORNERS, "y", -1, 2, 0.5)),
        (
            {"ball": [0, 0, 0], "radii": [1, 1, 1], "albedo": 0.5, "cuts": [[[0, 1, 0], [0, 0.2, 0]]]},
            ball((0, 0, 0), 1, 0.5).cut((0, 1, 0), (0, 0.2, 0)),
        ),
        (
            {"box": [0, 0, 0], "half": [1, 2, 3], "albedo": 0.5, "turns": [["z", 20], ["x", -35]]},
            box(
                (0, 0, 0),
                (1, 2, 3),
                0.5,
                rotation=Rotation.from_euler("xz", [-35, 20], degrees=True).as_matrix(),
            ),
        ),
    ],
)
def test_a_line_of_the_table_is_a_solid(line, solid):
    made = make_solid(line)
    for field in dataclasses.fields(solid):
        expected = getattr(solid, field.name)
        if expected is None:
            assert getattr(made, field.name) is None
        else:
            np.testing.assert_allclose(getattr(made, field.name), expected, atol=1e-15)


def test_a_line_of_no_kind_is_an_error():
    with pytest.raises(TgsageError, match=r"objects\.toml: no solid has the keys torus, albedo"):
        make_solid({"torus": [0, 0, 0], "albedo": 0.5})


def test_the_table_is_complete_and_says_nothing_that_nobody_reads():
    assert len(CATEGORIES) == 8
    shapes = [{"ball", "radii"}, {"box", "half"}, {"tube", "radii"}, {"prism", "axis", "reach"}]
    for category in CATEGORIES:
        assert set(_TABLE[category]) == {"yaw", "pitch", "objects"}
        assert len(OBJECTS[category]) == 8
        for entry in _TABLE[category]["objects"].values():
            assert set(entry) == {"pattern", "solids"}
            assert entry["pattern"]["kind"] in ("stripes", "checks", "spots", "blotches")
            assert np.linalg.norm(entry["pattern"]["direction"]) == pytest.approx(1)
            for line in entry["solids"]:
                keys = set(line) - {"albedo", "plain", "cuts"}
                keys -= {"flatten"} if "tube" in line else {"turns"}
                assert keys in shapes, line
                assert 0 <= line["albedo"] <= 1
