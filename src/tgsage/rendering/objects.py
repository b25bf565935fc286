"""Sixty-four objects in eight categories, put together from convex solids.

The categories are those of the HvM stimuli (Majaj, Hong, Solomon, DiCarlo 2015, J. Neurosci. 35:13402,
doi:10.1523/JNEUROSCI.5181-14.2015), whose own three-dimensional models are not free; these are ours. Space:
x to the right, y up, z towards the viewer. Animals, boats, cars and planes look along +x; chairs and faces
along +z.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .solids import Body, Solid, ball, box, cast, prism, tube

__all__ = ["CATEGORIES", "OBJECTS", "OBJECTS_PER_CATEGORY", "Thing", "thing"]

CATEGORIES = ("animals", "boats", "cars", "chairs", "faces", "fruits", "planes", "tables")

OBJECTS = {
    "animals": ("dog", "elephant", "giraffe", "pig", "bear", "rabbit", "duck", "turtle"),
    "boats": ("sailboat", "ketch", "tugboat", "freighter", "rowing_boat", "speedboat", "ferry", "catamaran"),
    "cars": ("sedan", "hatchback", "van", "pickup", "bus", "sports_car", "jeep", "truck"),
    "chairs": (
        "dining_chair", "armchair", "office_chair", "bar_chair", "round_back", "ladder_back", "sled_chair",
        "tulip_chair",
    ),
    "faces": ("ada", "bela", "carl", "dora", "egon", "fumi", "gus", "hana"),
    "fruits": ("apple", "pear", "banana", "grapes", "pineapple", "strawberry", "cherries", "melon"),
    "planes": (
        "airliner", "propeller_plane", "biplane", "fighter", "glider", "jumbo", "delta_wing", "seaplane",
    ),
    "tables": (
        "dining_table", "round_table", "coffee_table", "desk", "trestle_table", "bistro_table", "side_table",
        "picnic_table",
    ),
}  # fmt: skip
"""Names of the objects of each category."""

OBJECTS_PER_CATEGORY = 8

Solids = list[Solid]


@dataclass(frozen=True)
class Thing:
    """One object, centred, and scaled to a bounding sphere of radius 1.

    ``pattern``: (kind, frequency, contrast, orientation (3,)) of its albedo pattern, in the scaled space;
    ``yaw``, ``pitch``: its canonical view in radians.
    """

    name: str
    category: str
    body: Body
    pattern: tuple[str, float, float, np.ndarray]
    yaw: float
    pitch: float


def turn(degrees: float, axis: str) -> np.ndarray:
    """Return the rotation matrix about an axis, right-handed."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    if axis == "x":
        return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    if axis == "y":
        return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


# --- animals ------------------------------------------------------------------------


def _quadruped(
    *, body: tuple[float, float, float], leg: float, leg_radius: float, neck: float, neck_angle: float,
    head: tuple[float, float, float], snout: float, snout_radius: float, ear: tuple[float, float],
    tail: float, albedo: float, ears_hang: bool = False, trunk: bool = False,
) -> Solids:  # fmt: skip
    length, height, width = body
    up = np.array([0.0, 1.0, 0.0])
    parts = [ball((0, 0, 0), body, albedo)]
    for x in (-0.62, 0.62):
        for z in (-0.55, 0.55):
            top = np.array([x * length, -0.3 * height, z * width])
            foot = np.array([x * length * 1.05, -height - leg, z * width])
            parts.append(tube(top, foot, leg_radius, albedo * 0.9, radius_end=leg_radius * 0.8))
            parts.append(tube(foot, foot - 0.06 * up, leg_radius * 1.1, 0.15, pattern=0))
    root = np.array([0.75 * length, 0.35 * height, 0])
    way = np.array([np.cos(np.deg2rad(neck_angle)), np.sin(np.deg2rad(neck_angle)), 0])
    nape = root + neck * way
    parts.append(tube(root - 0.15 * way, nape, head[1] * 0.95, albedo, radius_end=head[1] * 0.7))
    middle = nape + np.array([head[0] * 0.5, head[1] * 0.2, 0])
    parts.append(ball(middle, head, albedo))
    mouth = middle + np.array([head[0] * 0.8 + snout, -head[1] * 0.35, 0])
    if snout:
        parts.append(tube(middle, mouth, snout_radius * 1.2, albedo * 0.85, radius_end=snout_radius))
        parts.append(ball(mouth, (0.05, snout_radius * 0.8, snout_radius * 0.8), 0.1, pattern=0))
    if trunk:
        bend = middle + np.array([head[0] * 1.25, -0.45, 0])
        end = bend + np.array([0.06, -0.5, 0])
        parts.append(tube(middle, bend, 0.15, albedo * 0.9, radius_end=0.11))
        parts.append(tube(bend, end, 0.11, albedo * 0.85, radius_end=0.07))
        for z in (-0.16, 0.16):
            tusk = middle + np.array([head[0] * 0.6, -0.2, z])
            end = tusk + np.array([0.38, -0.18, 0])
            parts.append(tube(tusk, end, 0.05, 1.0, radius_end=0.02, pattern=0))
    for side in (-1, 1):
        eye = middle + np.array([head[0] * 0.55, head[1] * 0.4, side * head[2] * 0.75])
        parts.append(ball(eye, 0.055, 0.03, pattern=0))
        size, thick = ear
        sit = middle + np.array([-head[0] * 0.25, head[1] * 0.7, side * head[2] * 0.7])
        if ears_hang:
            centre = sit + np.array([-0.08, -size * 0.5, side * 0.12])
            parts.append(
                ball(centre, (size * 0.75, size, thick), albedo * 0.7, rotation=turn(25 * side, "y"))
            )
        else:
            tip = sit + np.array([0, size, side * 0.08])
            parts.append(tube(sit - 0.1 * up, tip, thick, albedo * 0.7, radius_end=thick * 0.35, flatten=0.7))
    if tail:
        start = np.array([-0.92 * length, 0.2 * height, 0])
        parts.append(
            tube(start, start + tail * np.array([-0.75, 0.45, 0]), 0.07, albedo * 0.9, radius_end=0.035)
        )
    return parts


def _duck() -> Solids:
    parts = [
        ball((0, 0, 0), (0.95, 0.55, 0.55), 0.8),
        tube((-0.6, 0.1, 0), (-1.15, 0.5, 0), 0.32, 0.7, radius_end=0.05),
        tube((0.55, 0.2, 0), (0.8, 0.85, 0), 0.24, 0.8, radius_end=0.2),
        ball((0.86, 0.98, 0), (0.34, 0.31, 0.3), 0.45),
        tube((1.05, 0.92, 0), (1.5, 0.86, 0), 0.17, 0.95, radius_end=0.1, flatten=1.0, pattern=0),
        ball((-0.1, 0.1, 0.5), (0.6, 0.33, 0.12), 0.55),
        ball((-0.1, 0.1, -0.5), (0.6, 0.33, 0.12), 0.55),
    ]
    for z in (-0.22, 0.22):
        parts += [tube((0.05, -0.4, z), (0.05, -0.9, z), 0.06, 0.9, pattern=0),
                  ball((0.15, -0.92, z), (0.24, 0.05, 0.14), 0.9, pattern=0),
                  ball((1.0, 1.07, z * 1.15), 0.06, 0.02, pattern=0)]  # fmt: skip
    return parts


def _turtle() -> Solids:
    parts = [
        ball((0, 0, 0), (1.0, 0.68, 0.82), 0.55).cut((0, -1, 0), (0, -0.08, 0)),
        tube((0, -0.2, 0), (0, -0.06, 0), 1.0, 0.85, flatten=0.84, pattern=0),
        tube((0.8, -0.08, 0), (1.25, 0.22, 0), 0.17, 0.75, pattern=0),
        ball((1.36, 0.27, 0), (0.3, 0.23, 0.22), 0.75, pattern=0),
        tube((-0.9, -0.12, 0), (-1.25, -0.25, 0), 0.1, 0.75, radius_end=0.03, pattern=0),
    ]
    for x in (-0.65, 0.65):
        for z in (-0.6, 0.6):
            parts.append(tube((x, -0.1, z), (x * 1.2, -0.48, z * 1.25), 0.19, 0.75, pattern=0))
    for z in (-0.17, 0.17):
        parts.append(ball((1.5, 0.36, z), 0.055, 0.02, pattern=0))
    return parts


_ANIMALS: dict[str, Callable[[], Solids]] = {
    "dog": lambda: _quadruped(
        body=(0.85, 0.36, 0.34), leg=0.5, leg_radius=0.11, neck=0.4, neck_angle=55, head=(0.34, 0.27, 0.26),
        snout=0.18, snout_radius=0.12, ear=(0.3, 0.12), tail=0.6, albedo=0.75,
    ),
    "elephant": lambda: _quadruped(
        body=(0.95, 0.62, 0.58), leg=0.42, leg_radius=0.2, neck=0.25, neck_angle=25, head=(0.42, 0.42, 0.38),
        snout=0, snout_radius=0.1, ear=(0.48, 0.08), tail=0.4, albedo=0.5, ears_hang=True, trunk=True,
    ),
    "giraffe": lambda: _quadruped(
        body=(0.65, 0.34, 0.3), leg=0.85, leg_radius=0.09, neck=1.15, neck_angle=68, head=(0.27, 0.18, 0.17),
        snout=0.14, snout_radius=0.09, ear=(0.2, 0.05), tail=0.4, albedo=0.85,
    ),
    "pig": lambda: _quadruped(
        body=(0.85, 0.52, 0.5), leg=0.2, leg_radius=0.13, neck=0.2, neck_angle=15, head=(0.38, 0.36, 0.34),
        snout=0.12, snout_radius=0.15, ear=(0.22, 0.15), tail=0.25, albedo=0.9,
    ),
    "bear": lambda: _quadruped(
        body=(0.9, 0.56, 0.5), leg=0.32, leg_radius=0.2, neck=0.28, neck_angle=35, head=(0.38, 0.36, 0.34),
        snout=0.1, snout_radius=0.15, ear=(0.1, 0.12), tail=0, albedo=0.32,
    ),
    "rabbit": lambda: _quadruped(
        body=(0.62, 0.45, 0.38), leg=0.12, leg_radius=0.13, neck=0.25, neck_angle=60, head=(0.32, 0.29, 0.26),
        snout=0.03, snout_radius=0.11, ear=(0.7, 0.11), tail=0.12, albedo=0.85,
    ),
    "duck": _duck,
    "turtle": _turtle,
}  # fmt: skip


# --- boats --------------------------------------------------------------------------


def _hull(length: float, width: float, depth: float, albedo: float, *, stern: float = 0.75) -> Solids:
    """A pointed bow, a square stern, sides that narrow downwards, and a pale gunwale."""
    hull = ball((-0.1 * length, 0, 0), (1.1 * length, depth * 1.15, width), albedo)
    hull = hull.cut((0, 1, 0), (0, 0, 0)).cut((-1, -0.25, 0), (-stern * length, 0, 0))
    deck = ball((-0.1 * length, 0, 0), (1.14 * length, 2, width * 1.06), 0.95, pattern=0)
    deck = deck.cut((0, 1, 0), (0, 0.07, 0)).cut((0, -1, 0), (0, -0.02, 0))
    return [hull, deck.cut((-1, 0, 0), (-stern * length - 0.03, 0, 0))]


def _sail(points: list[tuple[float, float]], albedo: float, z: float = 0.0) -> Solid:
    return prism(points, "z", z - 0.025, z + 0.025, albedo)


def _sailboat() -> Solids:
    return [
        *_hull(1.0, 0.32, 0.36, 0.3),
        tube((0.05, 0, 0), (0.05, 1.75, 0), 0.035, 0.2, pattern=0),
        _sail([(0.0, 0.2), (0.0, 1.7), (-0.85, 0.2)], 0.97),
        _sail([(0.1, 0.15), (0.1, 1.45), (0.85, 0.15)], 0.8),
    ]


def _ketch() -> Solids:
    return [
        *_hull(1.25, 0.32, 0.36, 0.75),
        tube((0.4, 0, 0), (0.4, 1.5, 0), 0.04, 0.15, pattern=0),
        tube((-0.45, 0, 0), (-0.45, 1.25, 0), 0.04, 0.15, pattern=0),
        _sail([(0.34, 0.25), (0.34, 1.35), (-0.2, 1.1), (-0.35, 0.25)], 0.6),
        _sail([(-0.51, 0.25), (-0.51, 1.1), (-0.95, 0.9), (-1.05, 0.25)], 0.6),
        _sail([(0.47, 0.2), (0.45, 1.2), (1.15, 0.15)], 0.85),
    ]


def _tugboat() -> Solids:
    return [
        *_hull(0.95, 0.45, 0.5, 0.2),
        box((0.15, 0.3, 0), (0.4, 0.25, 0.28), 0.9),
        box((0.28, 0.7, 0), (0.24, 0.2, 0.24), 0.9),
        box((0.3, 0.73, 0), (0.25, 0.09, 0.25), 0.1, pattern=0),
        box((0.28, 0.92, 0), (0.3, 0.04, 0.29), 0.5, pattern=0),
        tube((-0.25, 0.3, 0), (-0.25, 1.1, 0), 0.14, 0.6, pattern=0),
        tube((-0.25, 1.0, 0), (-0.25, 1.16, 0), 0.15, 0.08, pattern=0),
    ]


def _freighter() -> Solids:
    parts = _hull(1.5, 0.36, 0.42, 0.35, stern=0.85)
    for index, x in enumerate((-0.45, 0.0, 0.45, 0.9)):
        height = 0.2 + 0.07 * (index % 2)
        parts.append(box((x, height, 0), (0.19, height - 0.03, 0.27), (0.9, 0.45, 0.7, 0.3)[index]))
    parts += [
        box((-0.95, 0.4, 0), (0.17, 0.38, 0.3), 0.97, pattern=0),
        box((-0.93, 0.62, 0), (0.18, 0.06, 0.31), 0.1, pattern=0),
        tube((-1.1, 0.6, 0), (-1.1, 1.0, 0), 0.09, 0.4, pattern=0),
    ]
    return parts


def _rowing_boat() -> Solids:
    parts = _hull(0.95, 0.42, 0.42, 0.55, stern=0.85)
    inside = ball((-0.1, 0, 0), (0.95, 2, 0.35), 0.12, pattern=0)
    parts.append(
        inside.cut((0, 1, 0), (0, 0.075, 0)).cut((0, -1, 0), (0, 0, 0)).cut((-1, 0, 0), (-0.74, 0, 0))
    )
    parts += [box((x, 0.08, 0), (0.09, 0.04, 0.36), 0.9, pattern=0) for x in (-0.4, 0.15)]
    for side in (-1, 1):
        parts.append(tube((0.05, 0.2, side * 0.2), (-0.25, -0.15, side * 1.1), 0.035, 0.85, pattern=0))
        parts.append(ball((-0.29, -0.2, side * 1.2), (0.11, 0.07, 0.26), 0.85, pattern=0))
    return parts


def _speedboat() -> Solids:
    return [
        *_hull(1.2, 0.36, 0.32, 0.92, stern=0.8),
        prism([(-0.1, 0.05), (0.95, 0.05), (0.35, 0.2), (-0.1, 0.24)], "z", -0.26, 0.26, 0.85),
        prism([(-0.05, 0.2), (0.4, 0.18), (0.0, 0.46), (-0.05, 0.46)], "z", -0.25, 0.25, 0.12, pattern=0),
        box((-0.5, 0.17, 0), (0.22, 0.12, 0.24), 0.3),
        box((-1.0, 0.12, 0), (0.12, 0.26, 0.14), 0.15, pattern=0),
    ]


def _ferry() -> Solids:
    parts = [
        *_hull(1.3, 0.42, 0.4, 0.15, stern=0.85),
        prism([(-0.95, 0.03), (0.85, 0.03), (0.7, 0.36), (-0.95, 0.36)], "z", -0.36, 0.36, 0.9),
        prism([(-0.8, 0.36), (0.6, 0.36), (0.45, 0.66), (-0.8, 0.66)], "z", -0.3, 0.3, 0.9),
        prism([(0.0, 0.66), (0.4, 0.66), (0.3, 0.86), (0.0, 0.86)], "z", -0.2, 0.2, 0.9),
        box((-0.05, 0.24, 0), (0.8, 0.045, 0.365), 0.1, pattern=0),
        box((-0.12, 0.53, 0), (0.62, 0.045, 0.305), 0.1, pattern=0),
    ]
    parts += [tube((x, 0.6, 0), (x - 0.06, 1.15, 0), 0.12, 0.45, pattern=0) for x in (-0.5, -0.15)]
    return parts


def _catamaran() -> Solids:
    parts = [
        box((-0.1, 0.08, 0), (0.55, 0.05, 0.5), 0.5),
        tube((0.1, 0, 0), (0.1, 1.7, 0), 0.04, 0.2, pattern=0),
    ]
    for z in (-0.5, 0.5):
        parts.append(ball((0, -0.05, z), (1.1, 0.2, 0.14), 0.95))
    parts.append(_sail([(0.04, 0.25), (0.04, 1.65), (-0.4, 1.3), (-0.8, 0.25)], 0.75))
    return parts


_BOATS = {
    "sailboat": _sailboat, "ketch": _ketch, "tugboat": _tugboat, "freighter": _freighter,
    "rowing_boat": _rowing_boat, "speedboat": _speedboat, "ferry": _ferry, "catamaran": _catamaran,
}  # fmt: skip


# --- cars ---------------------------------------------------------------------------


def _car(
    body: list[tuple[float, float]], cabin: list[tuple[float, float]] | None, *, axles: tuple[float, ...],
    wheel: float, width: float, albedo: float, cabin_albedo: float | None = None,
    extra: Solids | None = None,
) -> Solids:  # fmt: skip
    parts = [prism(body, "z", -width, width, albedo)]
    if cabin is not None:
        points = np.array(cabin)
        middle = points.mean(0)
        parts.append(prism(cabin, "z", -0.86 * width, 0.86 * width, cabin_albedo or albedo))
        # The glass: the cabin's outline, a little smaller, a little wider; and the same for front and rear.
        glass = middle + (points - middle) * (0.84, 0.62)
        parts.append(prism(glass.tolist(), "z", -0.87 * width, 0.87 * width, 0.06, pattern=0))
        ends = middle + (points - middle) * (1.03, 0.66)
        parts.append(prism(ends.tolist(), "z", -0.7 * width, 0.7 * width, 0.06, pattern=0))
    for x in axles:
        for side in (-1, 1):
            inner, outer = side * (width - 0.18), side * (width + 0.03)
            parts.append(tube((x, 0, inner), (x, 0, outer), wheel, 0.07, pattern=0))
            parts.append(
                tube((x, 0, inner + 0.05 * side), (x, 0, outer + 0.02 * side), wheel * 0.5, 0.85, pattern=0)
            )
    front = max(x for x, _ in body)
    rear = min(x for x, _ in body)
    height = min(y for _, y in body) + 0.22
    for z in (-0.68 * width, 0.68 * width):
        parts.append(ball((front - 0.02, height, z), (0.06, 0.09, 0.1), 1.0, pattern=0))
        parts.append(box((rear, height + 0.02, z), (0.03, 0.06, 0.1), 0.2, pattern=0))
    return parts + (extra or [])


_CARS: dict[str, Callable[[], Solids]] = {
    "sedan": lambda: _car(
        [(-1.3, 0), (1.3, 0), (1.3, 0.28), (1.1, 0.4), (-1.2, 0.46), (-1.3, 0.35)],
        [(-0.95, 0.42), (0.6, 0.4), (0.2, 0.82), (-0.6, 0.82)],
        axles=(-0.8, 0.8), wheel=0.26, width=0.52, albedo=0.6,
    ),
    "hatchback": lambda: _car(
        [(-0.95, 0), (1.0, 0), (1.0, 0.32), (0.8, 0.45), (-0.95, 0.5)],
        [(-0.95, 0.45), (0.55, 0.43), (0.15, 0.95), (-0.7, 0.95)],
        axles=(-0.6, 0.62), wheel=0.26, width=0.5, albedo=0.95,
    ),
    "van": lambda: _car(
        [(-1.3, 0), (1.25, 0), (1.25, 0.4), (0.95, 0.6), (0.6, 1.15), (-1.3, 1.15)],
        [(0.2, 0.62), (0.95, 0.6), (0.63, 1.1), (0.2, 1.1)],
        axles=(-0.8, 0.78), wheel=0.26, width=0.54, albedo=0.85,
        extra=[box((-0.55, 0.85, 0), (0.5, 0.16, 0.545), 0.06, pattern=0)],
    ),
    "pickup": lambda: _car(
        [(-1.35, 0.02), (1.3, 0.02), (1.3, 0.42), (1.1, 0.5), (-1.35, 0.5)],
        [(-0.2, 0.48), (0.75, 0.48), (0.4, 0.95), (-0.15, 0.95)],
        axles=(-0.85, 0.82), wheel=0.3, width=0.54, albedo=0.4,
        extra=[box((-0.78, 0.49, 0), (0.5, 0.03, 0.42), 0.05, pattern=0)],
    ),
    "bus": lambda: _car(
        [(-1.7, 0), (1.7, 0), (1.72, 0.5), (1.65, 1.15), (-1.7, 1.15)], None,
        axles=(-1.05, 1.05), wheel=0.26, width=0.52, albedo=0.75,
        extra=[box((-1.35 + 0.5 * i, 0.78, 0), (0.2, 0.2, 0.53), 0.06, pattern=0) for i in range(6)]
        + [box((1.6, 0.78, 0), (0.125, 0.24, 0.45), 0.06, pattern=0)],
    ),
    "sports_car": lambda: _car(
        [(-1.25, 0.0), (1.35, 0.0), (1.35, 0.14), (0.7, 0.34), (-1.25, 0.42)],
        [(-1.05, 0.38), (0.55, 0.32), (0.0, 0.62), (-0.4, 0.64)],
        axles=(-0.82, 0.85), wheel=0.27, width=0.54, albedo=0.35,
        extra=[box((-1.2, 0.55, 0), (0.12, 0.025, 0.52), 0.3, pattern=0),
               box((-1.18, 0.47, 0), (0.05, 0.09, 0.03), 0.3, pattern=0)],
    ),
    "jeep": lambda: _car(
        [(-1.0, 0.06), (1.05, 0.06), (1.05, 0.55), (-1.0, 0.6)],
        [(-1.0, 0.55), (0.4, 0.53), (0.3, 1.05), (-1.0, 1.05)],
        axles=(-0.65, 0.68), wheel=0.32, width=0.52, albedo=0.5, cabin_albedo=0.85,
        extra=[tube((-1.0, 0.5, 0), (-1.14, 0.5, 0), 0.27, 0.07, pattern=0)],
    ),
    "truck": lambda: _car(
        [(-1.6, 0.05), (1.4, 0.05), (1.4, 0.22), (-1.6, 0.22)],
        [(0.75, 0.2), (1.42, 0.2), (1.38, 1.05), (0.8, 1.1)],
        axles=(-1.15, -0.55, 1.0), wheel=0.27, width=0.5, albedo=0.2, cabin_albedo=0.85,
        extra=[box((-0.5, 0.78, 0), (1.1, 0.56, 0.52), 0.95)],
    ),
}  # fmt: skip


# --- chairs -------------------------------------------------------------------------


def _legs(half_x: float, half_z: float, top: float, bottom: float, radius: float, albedo: float,
          splay: float = 0.0) -> Solids:  # fmt: skip
    return [
        tube((x, top, z), (x * (1 + splay), bottom, z * (1 + splay)), radius, albedo, radius_end=radius * 0.8)
        for x in (-half_x, half_x)
        for z in (-half_z, half_z)
    ]


def _dining_chair() -> Solids:
    return [
        box((0, 0, 0), (0.5, 0.06, 0.48), 0.75),
        *_legs(0.44, 0.42, 0, -0.85, 0.07, 0.55),
        box((0, 0.6, -0.46), (0.48, 0.58, 0.06), 0.75, rotation=turn(-6, "x")),
    ]


def _armchair() -> Solids:
    return [
        box((0, -0.2, 0), (0.55, 0.3, 0.55), 0.55),
        box((0, 0.18, 0.06), (0.5, 0.12, 0.5), 0.8),
        box((0, 0.55, -0.52), (0.72, 0.75, 0.16), 0.55, rotation=turn(-8, "x")),
        box((0.64, 0.08, 0.02), (0.14, 0.42, 0.56), 0.55),
        box((-0.64, 0.08, 0.02), (0.14, 0.42, 0.56), 0.55),
        tube((0.64, 0.5, -0.5), (0.64, 0.5, 0.58), 0.17, 0.55),
        tube((-0.64, 0.5, -0.5), (-0.64, 0.5, 0.58), 0.17, 0.55),
        *_legs(0.5, 0.42, -0.4, -0.72, 0.07, 0.15),
    ]


def _office_chair() -> Solids:
    parts = [
        ball((0, 0, 0), (0.55, 0.14, 0.52), 0.3),
        ball((0, 0.72, -0.5), (0.46, 0.5, 0.11), 0.3),
        tube((0, 0, -0.4), (0, 0.6, -0.55), 0.05, 0.2, pattern=0),
        tube((0, 0, 0), (0, -0.75, 0), 0.07, 0.8, pattern=0),
    ]
    for angle in np.arange(5) * 2 * np.pi / 5:
        foot = np.array([0.58 * np.sin(angle), -0.88, 0.58 * np.cos(angle)])
        parts += [tube((0, -0.74, 0), foot, 0.06, 0.75, pattern=0), ball(foot, 0.08, 0.05, pattern=0)]
    for x in (-0.55, 0.55):
        parts += [box((x, 0.32, 0), (0.06, 0.04, 0.3), 0.15, pattern=0),
                  tube((x, 0.3, -0.1), (x * 0.8, -0.02, -0.1), 0.035, 0.2, pattern=0)]  # fmt: skip
    return parts


def _bar_chair() -> Solids:
    parts = [
        tube((0, -0.05, 0), (0, 0.06, 0), 0.42, 0.85),
        *_legs(0.26, 0.26, 0, -1.35, 0.055, 0.5, splay=0.5),
        box((0, 0.42, -0.38), (0.36, 0.14, 0.05), 0.85),
    ]
    parts += [tube((x, 0, -0.34), (x, 0.45, -0.38), 0.035, 0.5, pattern=0) for x in (-0.25, 0.25)]
    parts += [tube((-0.34, -0.85, z), (0.34, -0.85, z), 0.035, 0.5, pattern=0) for z in (-0.34, 0.34)]
    parts += [tube((x, -0.85, -0.34), (x, -0.85, 0.34), 0.035, 0.5, pattern=0) for x in (-0.34, 0.34)]
    return parts


def _round_back() -> Solids:
    back = ball((0, 0.72, -0.48), (0.45, 0.5, 0.07), 0.95)
    rim = ball((0, 0.72, -0.49), (0.54, 0.59, 0.06), 0.25, pattern=0)
    return [
        tube((0, -0.07, 0), (0, 0.07, 0), 0.52, 0.95),
        *_legs(0.38, 0.38, 0, -0.85, 0.06, 0.25, splay=0.12),
        rim,
        back,
        tube((-0.2, 0, -0.46), (-0.2, 0.3, -0.48), 0.05, 0.25, pattern=0),
        tube((0.2, 0, -0.46), (0.2, 0.3, -0.48), 0.05, 0.25, pattern=0),
    ]


def _ladder_back() -> Solids:
    parts = [box((0, 0, 0), (0.46, 0.05, 0.45), 0.9), *_legs(0.42, 0.4, 0, -0.85, 0.05, 0.3)]
    parts += [tube((x, 0, -0.42), (x, 1.35, -0.5), 0.05, 0.3, pattern=0) for x in (-0.42, 0.42)]
    parts += [
        box((0, y, -0.43 - y * 0.06), (0.42, 0.07, 0.03), 0.3, pattern=0) for y in (0.35, 0.65, 0.95, 1.25)
    ]
    return parts


def _sled_chair() -> Solids:
    parts = [
        box((0, 0, 0), (0.5, 0.05, 0.5), 0.2),
        box((0, 0.58, -0.58), (0.5, 0.35, 0.05), 0.2, rotation=turn(-10, "x")),
    ]
    for x in (-0.5, 0.5):
        parts += [
            tube((x, 0, 0.48), (x, -0.8, 0.48), 0.05, 0.95, pattern=0),
            tube((x, -0.8, 0.5), (x, -0.8, -0.6), 0.05, 0.95, pattern=0),
            tube((x, 0, 0.48), (x, 0, -0.5), 0.05, 0.95, pattern=0),
            tube((x, 0, -0.5), (x, 0.95, -0.64), 0.05, 0.95, pattern=0),
        ]
    return parts


def _tulip_chair() -> Solids:
    return [
        tube((0, -0.85, 0), (0, -0.78, 0), 0.42, 0.95),
        tube((0, -0.8, 0), (0, -0.3, 0), 0.16, 0.95, radius_end=0.06),
        tube((0, -0.3, 0), (0, 0.02, 0), 0.08, 0.95, radius_end=0.54),
        tube((0, 0.0, 0), (0, 0.08, 0), 0.48, 0.35, pattern=0),
        ball((0, 0.42, -0.1), (0.56, 0.62, 0.52), 0.95).cut((0, 0, 1), (0, 0, -0.34)),
    ]


_CHAIRS = {
    "dining_chair": _dining_chair, "armchair": _armchair, "office_chair": _office_chair,
    "bar_chair": _bar_chair, "round_back": _round_back, "ladder_back": _ladder_back,
    "sled_chair": _sled_chair, "tulip_chair": _tulip_chair,
}  # fmt: skip


# --- faces --------------------------------------------------------------------------


def _face(
    *, skin: float, hair: float, shape: tuple[float, float, float] = (0.72, 0.95, 0.78), nose: float = 0.2,
    hairline: float = 0.45, long_hair: bool = False, bald: bool = False, beard: bool = False,
    glasses: bool = False, hat: str | None = None, mouth: float = 0.26, bun: bool = False,
    moustache: bool = False,
) -> Solids:  # fmt: skip
    wide, high, deep = shape
    parts = [
        ball((0, 0, 0), shape, skin),
        tube((0, -0.4, -0.1), (0, -1.25, -0.15), 0.36 * wide / 0.72, skin * 0.85),
        ball((0, -1.35, -0.15), (0.85, 0.3, 0.4), hair * 0.5 + 0.3),
    ]

    def front(x: float, y: float, out: float = 0.0) -> np.ndarray:
        return np.array([x, y, deep * np.sqrt(max(0.05, 1 - (x / wide) ** 2 - (y / high) ** 2)) + out])

    for side in (-1, 1):
        x = 0.27 * side
        parts += [
            ball(front(x, 0.14, -0.02), (0.16, 0.1, 0.07), 1.0, pattern=0),
            ball(front(x, 0.14, 0.035), (0.075, 0.08, 0.05), 0.02, pattern=0),
            box(
                front(x, 0.34, 0.02), (0.17, 0.04, 0.05), hair * 0.6, rotation=turn(-9 * side, "z"), pattern=0
            ),
            ball((side * wide, 0.03, -0.05), (0.1, 0.21, 0.15), skin * 0.9, pattern=0),
        ]
        if glasses:
            parts += [
                tube(front(x, 0.14, 0.03), front(x, 0.14, 0.1), 0.23, 0.05, pattern=0),
                tube(front(x, 0.14, 0.05), front(x, 0.14, 0.115), 0.18, 0.75, pattern=0),
                tube(front(x, 0.14, 0.05), front(x, 0.14, 0.125), 0.09, 0.05, pattern=0),
                tube((side * 0.48, 0.16, deep * 0.8), (side * wide, 0.14, 0), 0.03, 0.05, pattern=0),
            ]
    parts += [
        tube(front(0, 0.2, -0.05), front(0, -0.16, nose), 0.06, skin, radius_end=0.12),
        ball(front(0, -0.17, nose * 0.6), (0.15, 0.1, 0.14), skin),
        ball(front(0, -0.48, -0.01), (mouth, 0.075, 0.08), 0.12, pattern=0),
    ]
    if not bald:
        cap = ball((0, 0.07, -0.07), (wide * 1.1, high * 1.08, deep * 1.1), hair)
        # Cut along a slanted plane: low at the nape, high at the forehead.
        parts.append(cap.cut((0, -0.75, 0.66), (0, hairline, deep * 0.8)))
    if long_hair:
        for side in (-1, 1):
            parts.append(ball((side * wide * 0.95, -0.4, -0.2), (0.22, 0.85, 0.4), hair))
        parts.append(ball((0, -0.35, -0.5), (wide * 0.95, 0.95, 0.4), hair))
    if bun:
        parts.append(ball((0, high * 1.15, -0.2), 0.34, hair))
    if beard:
        parts.append(
            ball((0, -0.42, 0.04), (wide * 0.92, 0.66, deep * 0.96), hair).cut((0, 1, 0.12), (0, -0.42, deep))
        )
    if moustache:
        parts.append(box(front(0, -0.35, 0.06), (0.27, 0.06, 0.07), hair, pattern=0))
    if hat == "cap":
        parts.append(
            ball((0, 0.3, -0.02), (wide * 1.13, high * 0.85, deep * 1.13), 0.3).cut((0, -1, 0), (0, 0.42, 0))
        )
        parts.append(ball((0, 0.45, deep * 0.95), (wide * 0.85, 0.06, 0.5), 0.3, pattern=0))
    if hat == "brimmed":
        parts.append(tube((0, 0.5, 0), (0, 0.57, 0), 1.2, 0.85))
        parts.append(tube((0, 0.55, 0), (0, 1.15, 0), 0.76, 0.85, radius_end=0.62))
        parts.append(tube((0, 0.57, 0), (0, 0.72, 0), 0.775, 0.1, pattern=0))
    return parts


_FACES: dict[str, Callable[[], Solids]] = {
    "ada": lambda: _face(skin=0.9, hair=0.12, long_hair=True, mouth=0.22),
    "bela": lambda: _face(skin=0.75, hair=0.25, beard=True, moustache=True),
    "carl": lambda: _face(skin=0.85, hair=0.5, bald=True, glasses=True, shape=(0.74, 0.92, 0.8)),
    "dora": lambda: _face(skin=0.55, hair=0.08, bun=True, hairline=0.35, mouth=0.3),
    "egon": lambda: _face(skin=0.95, hair=0.85, hat="cap", nose=0.28),
    "fumi": lambda: _face(skin=0.95, hair=0.05, shape=(0.8, 0.85, 0.78), hairline=0.3, nose=0.1),
    "gus": lambda: _face(skin=0.45, hair=0.75, moustache=True, hat="brimmed", shape=(0.66, 1.0, 0.76)),
    "hana": lambda: _face(skin=0.8, hair=0.9, long_hair=True, glasses=True, hairline=0.35),
}


# --- fruits -------------------------------------------------------------------------


def _leaf(centre: tuple[float, float, float], size: float, angle: float) -> Solid:
    return ball(centre, (size, size * 0.4, 0.06), 0.35, rotation=turn(angle, "z") @ turn(35, "x"), pattern=0)


def _apple() -> Solids:
    return [
        ball((0, 0, 0), (1.0, 0.88, 1.0), 0.65),
        ball((0, 0.76, 0), (0.42, 0.16, 0.42), 0.2, pattern=0),
        tube((0, 0.7, 0), (0.12, 1.3, 0), 0.06, 0.1, pattern=0),
        _leaf((0.42, 1.15, 0), 0.4, 20),
    ]


def _pear() -> Solids:
    return [
        ball((0, -0.3, 0), (0.82, 0.78, 0.82), 0.85),
        tube((0, -0.05, 0), (0, 0.72, 0), 0.76, 0.85, radius_end=0.4),
        ball((0, 0.68, 0), (0.41, 0.38, 0.41), 0.85),
        tube((0, 0.95, 0), (0.14, 1.45, 0), 0.06, 0.1, pattern=0),
    ]


def _banana() -> Solids:
    parts = []
    angles = np.deg2rad(np.linspace(205, 335, 8))
    centres = np.stack([1.3 * np.cos(angles), 1.3 * np.sin(angles) + 0.9, 0 * angles], 1)
    radii = [0.15, 0.24, 0.3, 0.32, 0.32, 0.3, 0.24, 0.15]
    for index in range(7):
        parts.append(
            tube(centres[index], centres[index + 1], radii[index], 0.95, radius_end=radii[index + 1])
        )
        parts.append(ball(centres[index], radii[index], 0.95))
    parts.append(ball(centres[7], 0.17, 0.1, pattern=0))
    parts.append(
        tube(centres[0], centres[0] + np.array([-0.14, 0.42, 0]), 0.12, 0.45, radius_end=0.08, pattern=0)
    )
    return parts


def _grapes() -> Solids:
    parts = []
    for level, (count, ring) in enumerate(((6, 0.5), (5, 0.42), (4, 0.32), (3, 0.2), (1, 0.0))):
        for index in range(count):
            angle = 2 * np.pi * (index + 0.5 * level) / count
            parts.append(ball((ring * np.cos(angle), 0.65 - 0.38 * level, ring * np.sin(angle)), 0.29,
                              0.3 + 0.12 * ((index + level) % 3)))  # fmt: skip
    parts += [tube((0, 0.7, 0), (0.05, 1.3, 0), 0.06, 0.55, pattern=0), _leaf((0.35, 1.05, 0.1), 0.42, 10)]
    return parts


def _pineapple() -> Solids:
    parts = [ball((0, -0.25, 0), (0.65, 0.9, 0.65), 0.8)]
    for ring, (count, lean, length) in enumerate(((6, 0.55, 0.6), (5, 0.3, 0.85), (1, 0.0, 1.0))):
        for index in range(count):
            angle = 2 * np.pi * (index + 0.5 * ring) / count
            tip = (lean * np.cos(angle), 0.55 + length, lean * np.sin(angle))
            parts.append(tube((0.18 * np.cos(angle), 0.5, 0.18 * np.sin(angle)), tip, 0.15, 0.3,
                              radius_end=0.01, flatten=0.6, pattern=0))  # fmt: skip
    return parts


def _strawberry() -> Solids:
    parts = [
        ball((0, 0.28, 0), (0.82, 0.55, 0.82), 0.5),
        tube((0, 0.2, 0), (0, -0.95, 0), 0.81, 0.5, radius_end=0.22),
        ball((0, -0.92, 0), 0.24, 0.5),
        tube((0, 0.7, 0), (0.06, 1.2, 0), 0.06, 0.85, pattern=0),
    ]
    for angle in np.arange(6) * np.pi / 3:
        direction = np.array([np.cos(angle), 0, np.sin(angle)])
        tip = 0.85 * direction + np.array([0, 0.62, 0])
        parts.append(tube((0, 0.8, 0), tip, 0.2, 0.9, radius_end=0.02, flatten=0.4, pattern=0))  # fmt: skip
    return parts


def _cherries() -> Solids:
    return [
        ball((-0.55, -0.55, 0), 0.48, 0.3),
        ball((0.55, -0.4, 0.1), 0.48, 0.3),
        tube((-0.5, -0.15, 0), (0.05, 1.1, 0), 0.05, 0.8, pattern=0),
        tube((0.5, 0.0, 0.1), (0.05, 1.1, 0), 0.05, 0.8, pattern=0),
        _leaf((0.45, 1.02, 0), 0.48, -8),
        ball((0.04, 1.1, 0), 0.1, 0.5, pattern=0),
    ]


def _melon() -> Solids:
    return [
        ball((0, 0, 0), (1.2, 0.85, 0.85), 0.6),
        tube((1.1, 0.0, 0), (1.38, 0.14, 0), 0.06, 0.2, pattern=0),
    ]


_FRUITS = {
    "apple": _apple, "pear": _pear, "banana": _banana, "grapes": _grapes, "pineapple": _pineapple,
    "strawberry": _strawberry, "cherries": _cherries, "melon": _melon,
}  # fmt: skip


# --- planes -------------------------------------------------------------------------


def _wing(
    root_x: float, span: float, chord: float, tip_chord: float, sweep: float, albedo: float, *,
    y: float = 0.0, thickness: float = 0.035,
) -> Solids:  # fmt: skip
    """Both wings, seen from above as (x, z) outlines."""
    parts = []
    for side in (-1, 1):
        outline = [
            (root_x + chord / 2, 0), (root_x + chord / 2 - sweep, side * span),
            (root_x + chord / 2 - sweep - tip_chord, side * span), (root_x - chord / 2, 0),
        ]  # fmt: skip
        parts.append(prism(outline, "y", y - thickness, y + thickness, albedo))
    return parts


def _fin(x: float, height: float, chord: float, sweep: float, albedo: float, y: float = 0.0) -> Solid:
    outline = [(x + chord / 2, y), (x + chord / 2 - sweep, y + height),
               (x - chord / 2 - sweep * 0.8, y + height),
               (x - chord / 2, y)]  # fmt: skip
    return prism(outline, "z", -0.03, 0.03, albedo)


def _fuselage(length: float, radius: float, albedo: float, nose: float = 0.3, tail: float = 0.6) -> Solids:
    return [
        tube((-length + tail, 0, 0), (length - nose, 0, 0), radius, albedo),
        ball((length - nose, 0, 0), (nose, radius, radius), albedo),
        tube((-length + tail, 0, 0), (-length, radius * 0.5, 0), radius, albedo, radius_end=radius * 0.25),
    ]


def _engine(x: float, y: float, z: float, size: float) -> Solids:
    return [tube((x - size, y, z), (x + size, y, z), size * 0.42, 0.6, pattern=0),
            tube((x + size * 0.9, y, z), (x + size * 1.05, y, z), size * 0.36, 0.05, pattern=0)]  # fmt: skip


def _propeller(x: float, y: float, z: float, radius: float) -> Solids:
    return [
        box((x, y, z), (0.025, radius, 0.06), 0.1, rotation=turn(35, "x"), pattern=0),
        tube((x - 0.05, y, z), (x + 0.14, y, z), 0.09, 0.3, radius_end=0.03, pattern=0),
    ]


def _airliner() -> Solids:
    return [
        *_fuselage(1.5, 0.19, 0.97),
        *_wing(0.05, 1.4, 0.6, 0.22, 0.7, 0.75, y=-0.08),
        *_wing(-1.25, 0.55, 0.34, 0.16, 0.3, 0.75),
        _fin(-1.25, 0.62, 0.42, 0.35, 0.3, 0.1),
        *_engine(0.05, -0.22, 0.55, 0.19),
        *_engine(0.05, -0.22, -0.55, 0.19),
        box((1.3, 0.1, 0), (0.06, 0.04, 0.13), 0.05, pattern=0),
    ]


def _propeller_plane() -> Solids:
    return [
        *_fuselage(1.05, 0.21, 0.85, nose=0.2, tail=1.0),
        ball((0.15, 0.22, 0), (0.4, 0.2, 0.17), 0.08, pattern=0),
        *_wing(0.25, 1.35, 0.42, 0.34, 0.04, 0.85, y=0.3),
        *_wing(-0.92, 0.5, 0.28, 0.2, 0.06, 0.6, y=0.08),
        _fin(-0.92, 0.45, 0.3, 0.15, 0.6, 0.08),
        *_propeller(1.05, 0, 0, 0.42),
        tube((0.3, -0.1, 0), (0.35, -0.42, 0.38), 0.03, 0.3, pattern=0),
        tube((0.3, -0.1, 0), (0.35, -0.42, -0.38), 0.03, 0.3, pattern=0),
        ball((0.35, -0.45, 0.38), (0.13, 0.13, 0.06), 0.05, pattern=0),
        ball((0.35, -0.45, -0.38), (0.13, 0.13, 0.06), 0.05, pattern=0),
    ]


def _biplane() -> Solids:
    parts = [
        *_fuselage(1.0, 0.22, 0.4, nose=0.15, tail=1.1),
        *_wing(0.3, 1.2, 0.42, 0.42, 0.0, 0.9, y=0.5),
        *_wing(0.2, 1.1, 0.42, 0.42, 0.0, 0.9, y=-0.18),
        *_wing(-0.9, 0.45, 0.26, 0.2, 0.05, 0.9, y=0.08),
        _fin(-0.9, 0.4, 0.3, 0.1, 0.9, 0.08),
        *_propeller(1.0, 0, 0, 0.42),
    ]
    for z in (-0.85, 0.85):
        parts += [tube((x, -0.18, z), (x + 0.08, 0.5, z), 0.03, 0.15, pattern=0) for x in (0.1, 0.35)]
    return parts


def _fighter() -> Solids:
    return [
        tube((-1.2, 0, 0), (0.5, 0, 0), 0.2, 0.45, flatten=1.0),
        tube((0.5, 0, 0), (1.5, -0.04, 0), 0.2, 0.45, radius_end=0.01),
        ball((0.5, 0.17, 0), (0.36, 0.14, 0.12), 0.05, pattern=0),
        *_wing(-0.25, 0.9, 1.0, 0.3, 0.65, 0.5, y=-0.03),
        *_wing(-1.15, 0.5, 0.42, 0.18, 0.3, 0.5),
        _fin(-0.95, 0.55, 0.5, 0.4, 0.5, 0.12),
        tube((-1.2, 0, 0), (-1.3, 0, 0), 0.16, 0.03, pattern=0),
        box((0.15, -0.08, 0), (0.3, 0.12, 0.29), 0.4),
    ]


def _glider() -> Solids:
    return [
        ball((0.35, 0, 0), (0.55, 0.17, 0.15), 0.97),
        tube((0.2, 0, 0), (-1.15, 0.1, 0), 0.12, 0.97, radius_end=0.05),
        ball((0.5, 0.08, 0), (0.28, 0.13, 0.12), 0.1, pattern=0),
        *_wing(0.25, 1.75, 0.28, 0.14, 0.05, 0.97, y=0.08, thickness=0.03),
        *_wing(-1.1, 0.42, 0.18, 0.12, 0.03, 0.97, y=0.48, thickness=0.025),
        _fin(-1.08, 0.4, 0.28, 0.05, 0.97, 0.08),
    ]


def _jumbo() -> Solids:
    parts = [
        *_fuselage(1.45, 0.26, 0.7, nose=0.4),
        ball((0.75, 0.2, 0), (0.5, 0.2, 0.17), 0.7),
        *_wing(0.1, 1.45, 0.75, 0.24, 0.75, 0.9, y=-0.1),
        *_wing(-1.2, 0.62, 0.4, 0.18, 0.35, 0.9),
        _fin(-1.2, 0.7, 0.48, 0.4, 0.15, 0.12),
    ]
    for z, x in ((0.5, 0.15), (0.95, -0.1)):
        parts += _engine(x, -0.25, z, 0.18) + _engine(x, -0.25, -z, 0.18)
    return parts


def _delta_wing() -> Solids:
    return [
        tube((-1.2, 0, 0), (0.9, 0, 0), 0.14, 0.95),
        tube((0.9, 0, 0), (1.6, -0.06, 0), 0.14, 0.95, radius_end=0.01),
        *_wing(-0.3, 0.85, 1.9, 0.12, 1.6, 0.95, y=-0.06),
        _fin(-0.9, 0.42, 0.55, 0.4, 0.6, 0.08),
        box((-0.75, -0.17, 0.36), (0.35, 0.08, 0.12), 0.4, pattern=0),
        box((-0.75, -0.17, -0.36), (0.35, 0.08, 0.12), 0.4, pattern=0),
    ]


def _seaplane() -> Solids:
    parts = [
        *_fuselage(1.05, 0.24, 0.6, nose=0.25, tail=0.9),
        box((0.35, 0.17, 0), (0.3, 0.1, 0.2), 0.08, pattern=0),
        *_wing(0.2, 1.4, 0.4, 0.34, 0.03, 0.9, y=0.34),
        *_wing(-0.95, 0.5, 0.28, 0.22, 0.05, 0.9, y=0.15),
        _fin(-0.95, 0.5, 0.35, 0.12, 0.3, 0.1),
        *_propeller(0.55, 0.36, 0.5, 0.28),
        *_propeller(0.55, 0.36, -0.5, 0.28),
    ]
    for z in (-0.5, 0.5):
        parts += [
            ball((0.3, -0.55, z), (0.7, 0.12, 0.12), 0.9),
            tube((0.2, 0.36, z), (0.55, 0.36, z), 0.1, 0.4),
        ]
        parts += [tube((x, -0.5, z), (x, -0.05, z * 0.4), 0.03, 0.2, pattern=0) for x in (0.05, 0.55)]
    return parts


_PLANES = {
    "airliner": _airliner, "propeller_plane": _propeller_plane, "biplane": _biplane, "fighter": _fighter,
    "glider": _glider, "jumbo": _jumbo, "delta_wing": _delta_wing, "seaplane": _seaplane,
}  # fmt: skip


# --- tables -------------------------------------------------------------------------


def _dining_table() -> Solids:
    return [box((0, 0, 0), (1.2, 0.06, 0.65), 0.8), box((0, -0.13, 0), (1.05, 0.08, 0.52), 0.5),
            *_legs(1.05, 0.52, 0, -0.95, 0.08, 0.5)]  # fmt: skip


def _round_table() -> Solids:
    parts = [
        tube((0, -0.05, 0), (0, 0.05, 0), 1.0, 0.6),
        tube((0, 0, 0), (0, -0.85, 0), 0.12, 0.35, radius_end=0.16),
    ]
    for angle in np.arange(3) * 2 * np.pi / 3 + 0.4:
        foot = (0.6 * np.cos(angle), -0.95, 0.6 * np.sin(angle))
        parts.append(tube((0, -0.7, 0), foot, 0.09, 0.35, radius_end=0.06))
    return parts


def _coffee_table() -> Solids:
    return [box((0, 0, 0), (1.15, 0.05, 0.6), 0.15), box((0, -0.32, 0), (1.0, 0.03, 0.5), 0.8),
            *[box((x, -0.3, z), (0.07, 0.3, 0.07), 0.8) for x in (-1, 1) for z in (-0.48, 0.48)]]  # fmt: skip


def _desk() -> Solids:
    parts = [
        box((0, 0, 0), (1.2, 0.05, 0.6), 0.7),
        box((0.82, -0.45, 0), (0.33, 0.42, 0.55), 0.55),
        box((-1.1, -0.45, 0), (0.05, 0.45, 0.55), 0.55),
        box((-0.2, -0.25, -0.5), (0.9, 0.2, 0.03), 0.45),
    ]
    for y in (-0.2, -0.46, -0.72):
        parts.append(box((0.82, y, 0.55), (0.28, 0.1, 0.02), 0.85, pattern=0))
        parts.append(box((0.82, y, 0.58), (0.08, 0.02, 0.03), 0.05, pattern=0))
    return parts


def _trestle_table() -> Solids:
    parts = [box((0, 0, 0), (1.3, 0.05, 0.5), 0.95)]
    for x in (-0.85, 0.85):
        parts += [
            tube((x, -0.03, 0), (x - 0.12, -0.95, 0.5), 0.06, 0.5),
            tube((x, -0.03, 0), (x - 0.12, -0.95, -0.5), 0.06, 0.5),
            tube((x - 0.06, -0.55, -0.3), (x - 0.06, -0.55, 0.3), 0.045, 0.5),
        ]
    parts.append(tube((-0.85, -0.5, 0), (0.85, -0.5, 0), 0.045, 0.5))
    return parts


def _bistro_table() -> Solids:
    return [
        tube((0, 0, 0), (0, 0.07, 0), 0.75, 0.95),
        tube((0, 0, 0), (0, -1.2, 0), 0.07, 0.15, pattern=0),
        tube((0, -1.28, 0), (0, -1.15, 0), 0.5, 0.2, radius_end=0.12, pattern=0),
    ]


def _side_table() -> Solids:
    return [
        box((0, 0, 0), (0.7, 0.05, 0.7), 0.45),
        box((0, -0.2, 0), (0.6, 0.16, 0.6), 0.8),
        box((0, -0.2, 0.61), (0.09, 0.03, 0.04), 0.05, pattern=0),
        box((0, -0.8, 0), (0.58, 0.03, 0.58), 0.45),
        *_legs(0.58, 0.58, -0.05, -1.1, 0.07, 0.45),
    ]


def _picnic_table() -> Solids:
    parts = [box((0, 0, z), (1.25, 0.04, 0.13), 0.85) for z in (-0.3, 0, 0.3)]
    parts += [box((0, -0.42, z), (1.25, 0.04, 0.15), 0.85) for z in (-0.85, 0.85)]
    for x in (-0.85, 0.85):
        parts += [
            tube((x, -0.02, -0.25), (x, -0.9, -0.75), 0.06, 0.4),
            tube((x, -0.02, 0.25), (x, -0.9, 0.75), 0.06, 0.4),
            box((x, -0.46, 0), (0.05, 0.05, 0.9), 0.4),
        ]
    return parts


_TABLES = {
    "dining_table": _dining_table, "round_table": _round_table, "coffee_table": _coffee_table, "desk": _desk,
    "trestle_table": _trestle_table, "bistro_table": _bistro_table, "side_table": _side_table,
    "picnic_table": _picnic_table,
}  # fmt: skip


# --- all of them --------------------------------------------------------------------

_MAKERS: dict[str, dict[str, Callable[[], Solids]]] = {
    "animals": _ANIMALS, "boats": _BOATS, "cars": _CARS, "chairs": _CHAIRS,
    "faces": _FACES, "fruits": _FRUITS, "planes": _PLANES, "tables": _TABLES,
}  # fmt: skip

# The canonical view of each category: yaw and pitch in degrees.
_VIEWS = {
    "animals": (-35, 14), "boats": (-30, 14), "cars": (-35, 18), "chairs": (-28, 16),
    "faces": (-14, 4), "fruits": (-15, 12), "planes": (-40, 26), "tables": (-25, 20),
}  # fmt: skip

_PATTERNS = ("stripes", "checks", "spots", "blotches")

# What a pattern makes recognisable is kept; every other object gets one by its number.
_OWN_PATTERNS = {
    "giraffe": ("spots", 7.0, 0.5), "turtle": ("checks", 6.5, 0.45), "melon": ("stripes", 9.0, 0.45),
    "pineapple": ("checks", 11.0, 0.4), "strawberry": ("spots", 12.0, 0.4),
}  # fmt: skip


def _surface(solids: Solids) -> np.ndarray:
    """Return points (n, 3) of the surface: what rays along the three axes meet, both ways."""
    corners = np.concatenate([solid.corners() for solid in solids])
    axis = np.linspace(-1, 1, 64) * np.abs(corners).max()
    found = []
    for rotation in [turn(angle, "y") for angle in (0, 90, 180, 270)] + [turn(90, "x"), turn(-90, "x")]:
        depth = cast(Body.of(solids), axis, -axis, np.eye(3)[2], rotation=rotation).depth
        rows, columns = np.nonzero(depth > -np.inf)
        found.append(np.stack([axis[columns], -axis[rows], depth[rows, columns]], 1) @ rotation)
    return np.concatenate(found)


@functools.cache
def thing(number: int) -> Thing:
    """Return an object by its number, 0 to 63: 8 × category + its place in :data:`OBJECTS`."""
    category = CATEGORIES[number // OBJECTS_PER_CATEGORY]
    name = OBJECTS[category][number % OBJECTS_PER_CATEGORY]
    solids = _MAKERS[category][name]()
    points = _surface(solids)
    middle = (points.min(0) + points.max(0)) / 2
    scale = 1 / np.linalg.norm(points - middle, axis=1).max()
    solids = [solid.mapped(np.eye(3), scale, -middle * scale) for solid in solids]
    rng = np.random.default_rng([64, number])
    kind, frequency, contrast = _OWN_PATTERNS.get(
        name, (_PATTERNS[number % len(_PATTERNS)], rng.uniform(4, 10), rng.uniform(0.08, 0.3))
    )
    orientation = rng.normal(size=3)
    yaw, pitch = np.deg2rad(_VIEWS[category])
    return Thing(
        name,
        category,
        Body.of(solids),
        (kind, frequency, contrast, orientation / np.linalg.norm(orientation)),
        yaw,
        pitch,
    )
