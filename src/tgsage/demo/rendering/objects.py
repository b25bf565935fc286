"""The objects of ``objects.toml``: read, put together, centred and scaled.

``objects.toml`` beside this module says how its lines are read, and where the categories come from.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import TgsageError
from .solids import Body, Solid, View, ball, box, cast, prism, tube

_TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))

CATEGORIES = tuple(_TABLE)

OBJECTS = {category: tuple(entry["objects"]) for category, entry in _TABLE.items()}
"""Names of the objects of each category."""

OBJECTS_PER_CATEGORY = 8


@dataclass(frozen=True)
class Pattern:
    """An albedo pattern in an object's scaled space."""

    kind: str
    """``"stripes"``, ``"checks"``, ``"spots"`` or ``"blotches"``."""
    frequency: float
    """In radians per unit."""
    contrast: float
    """0 to 1."""
    direction: np.ndarray
    """(3,) unit vector."""


@dataclass(frozen=True)
class Object:
    """An object, centred, and scaled to a bounding sphere of radius 1."""

    name: str
    category: str
    body: Body
    pattern: Pattern
    yaw: float
    """Rotation of the canonical view about the vertical axis, in radians."""
    pitch: float
    """Rotation of the canonical view towards the viewer, in radians."""


def _turn(axis: str, degrees: float) -> np.ndarray:
    """Return the rotation matrix about an axis, right-handed."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    if axis == "x":
        return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    if axis == "y":
        return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def make_solid(line: Mapping[str, Any]) -> Solid:
    """Make a solid from its line of the table.

    Raises
    ------
    TgsageError
        If the line's keys are not those of a solid.
    """
    albedo, pattern = line["albedo"], 0.0 if line.get("plain") else 1.0
    turns = [_turn(axis, degrees) for axis, degrees in line.get("turns", [])]
    rotation = functools.reduce(np.matmul, turns) if turns else None
    match line:
        case {"ball": centre, "radii": radii}:
            solid = ball(centre, radii, albedo, rotation=rotation, pattern=pattern)
        case {"box": centre, "half": half}:
            solid = box(centre, half, albedo, rotation=rotation, pattern=pattern)
        case {"tube": [start, end], "radii": [radius, radius_end]}:
            flatten = line.get("flatten", 1.0)
            solid = tube(start, end, radius, albedo, radius_end=radius_end, flatten=flatten, pattern=pattern)
        case {"prism": corners, "axis": axis, "reach": [low, high]}:
            solid = prism(corners, axis, low, high, albedo, pattern=pattern)
        case _:
            raise TgsageError(
                f"objects.toml: no solid has the keys {', '.join(line)}; its first lines list them"
            )
    for normal, point in line.get("cuts", []):
        solid = solid.cut(normal, point)
    return solid


def _surface(solids: Sequence[Solid]) -> np.ndarray:
    """Return points (n, 3) of the surface: what rays along the three axes meet, both ways."""
    corners = np.concatenate([solid.corners() for solid in solids])
    axis = np.linspace(-1, 1, 64) * np.abs(corners).max()
    body = Body.from_solids(solids)
    turns = [_turn("y", angle) for angle in (0, 90, 180, 270)] + [_turn("x", angle) for angle in (90, -90)]
    picture = cast([View(body, np.eye(3)[2], turn) for turn in turns], axis, -axis)
    points = np.stack([axis[picture.column], -axis[picture.row], picture.depth], 1)
    return np.concatenate([points[picture.view == view] @ turn for view, turn in enumerate(turns)])


@functools.cache
def numbered(number: int) -> Object:
    """Return an object by its number, 0 to 63: 8 × category + its place in :data:`OBJECTS`."""
    category = CATEGORIES[number // OBJECTS_PER_CATEGORY]
    name = OBJECTS[category][number % OBJECTS_PER_CATEGORY]
    entry = _TABLE[category]["objects"][name]
    solids = [make_solid(line) for line in entry["solids"]]
    points = _surface(solids)
    middle = (points.min(0) + points.max(0)) / 2
    scale = 1 / np.linalg.norm(points - middle, axis=1).max()
    body = Body.from_solids([solid.mapped(np.eye(3), scale, -middle * scale) for solid in solids])
    pattern = Pattern(**{**entry["pattern"], "direction": np.array(entry["pattern"]["direction"])})
    yaw, pitch = np.deg2rad((_TABLE[category]["yaw"], _TABLE[category]["pitch"]))
    return Object(name, category, body, pattern, yaw, pitch)
