"""Convex solids and their ray-casting: the geometry under every rendered object.

A solid is the image, under an affine map, of a unit solid inside the cube [-1, 1]³: an optional quadric
(ball, cylinder or cone) cut by half-spaces. Every solid is convex, so an orthographic ray meets it in one
interval: the intersection of the quadric's interval with those of the half-spaces. Terms that are linear in
the pixel's coordinates are outer sums of a row and a column, which makes the ray-casting fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

Vector = Sequence[float] | np.ndarray

AMBIENT = 0.35
"""Share of the light that comes from everywhere."""

_FACES = np.concatenate([np.eye(3), -np.eye(3)])
_CAPS = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
_NONE = np.empty((0, 3))


@dataclass(frozen=True)
class Solid:
    """A convex solid with one albedo.

    With u = linear · p + offset for a point p of the object's space, the solid is where
    normals · u ≤ limits and, if ``quadric`` is given as (s, c, k), u_x² + u_y² + s u_z² ≤ (c + k u_z)².
    """

    linear: np.ndarray
    """(3, 3) object space -> unit space."""
    offset: np.ndarray
    """(3,)"""
    quadric: tuple[float, float, float] | None
    """(1, 1, 0) ball; (0, 1, 0) cylinder along u_z; (0, c, k) cone along u_z."""
    normals: np.ndarray
    """(m, 3) outward normals of the half-spaces, in unit space."""
    limits: np.ndarray
    """(m,)"""
    albedo: float
    """0 (black) to 1 (white)."""
    pattern: float = 1.0
    """How much of the object's pattern this solid carries: 0 is plain."""

    def cut(self, normal: Vector, point: Vector) -> Solid:
        """Keep what lies behind the plane through ``point`` with this outward ``normal`` (object space)."""
        inverse = np.linalg.inv(self.linear)
        in_unit = inverse.T @ np.asarray(normal, float)
        limit = in_unit @ (self.linear @ np.asarray(point, float) + self.offset)
        normals = np.concatenate([self.normals, in_unit[None]])
        return replace(self, normals=normals, limits=np.append(self.limits, limit))

    def mapped(self, rotation: np.ndarray, scale: float, shift: Vector) -> Solid:
        """Rotate, then scale, then move the solid."""
        linear = self.linear @ rotation.T / scale
        return replace(self, linear=linear, offset=self.offset - linear @ np.asarray(shift, float))

    def corners(self) -> np.ndarray:
        """Return the (8, 3) corners of the parallelepiped around the solid, in object space."""
        unit = np.array([[x, y, z] for x in (-1.0, 1) for y in (-1.0, 1) for z in (-1.0, 1)])
        return np.linalg.solve(self.linear, (unit - self.offset).T).T


def _placed(half: Vector, centre: Vector, rotation: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    turned = np.eye(3) if rotation is None else rotation
    linear = turned.T / np.asarray(half, float)[:, None]
    return linear, -linear @ np.asarray(centre, float)


def ball(
    centre: Vector,
    radii: float | Vector,
    albedo: float,
    *,
    rotation: np.ndarray | None = None,
    pattern: float = 1,
) -> Solid:
    """Build an ellipsoid."""
    linear, offset = _placed(np.broadcast_to(np.asarray(radii, float), 3), centre, rotation)
    return Solid(linear, offset, (1.0, 1.0, 0.0), _NONE, np.empty(0), albedo, pattern)


def box(
    centre: Vector, half: Vector, albedo: float, *, rotation: np.ndarray | None = None, pattern: float = 1
) -> Solid:
    """Build a box of the given half sides."""
    linear, offset = _placed(half, centre, rotation)
    return Solid(linear, offset, None, _FACES, np.ones(6), albedo, pattern)


def tube(
    start: Vector,
    end: Vector,
    radius: float,
    albedo: float,
    *,
    radius_end: float | None = None,
    flatten: float = 1.0,
    pattern: float = 1,
) -> Solid:
    """Build a cylinder, or a cone, between two points; ``flatten`` squeezes it along its second axis."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    axis = end - start
    length = float(np.linalg.norm(axis))
    axis = axis / length
    helper = np.eye(3)[np.argmin(np.abs(axis))]
    first = np.cross(helper, axis)
    first /= np.linalg.norm(first)
    rotation = np.stack([first, np.cross(axis, first), axis], axis=1)
    far = radius if radius_end is None else radius_end
    widest = max(radius, far)
    linear, offset = _placed([widest, widest * flatten, length / 2], (start + end) / 2, rotation)
    quadric = (0.0, (radius + far) / 2 / widest, (far - radius) / 2 / widest)
    return Solid(linear, offset, quadric, _CAPS, np.ones(2), albedo, pattern)


def prism(
    outline: Sequence[Sequence[float]],
    axis: str,
    low: float,
    high: float,
    albedo: float,
    *,
    pattern: float = 1,
) -> Solid:
    """Build a convex polygon extruded from ``low`` to ``high`` along the axis ``"x"``, ``"y"`` or ``"z"``.

    The corners of its outline, in either sense of rotation, have the two other coordinates in alphabetical
    order.
    """
    along = "xyz".index(axis)
    others = [index for index in range(3) if index != along]
    points = np.asarray(outline, float)
    bounds = np.empty((2, 3))
    bounds[:, along] = low, high
    bounds[0, others], bounds[1, others] = points.min(0), points.max(0)
    centre, half = bounds.mean(0), (bounds[1] - bounds[0]) / 2
    points = (points - centre[others]) / half[others]
    edges = np.roll(points, -1, 0) - points
    normals = np.zeros((len(points) + 2, 3))
    normals[:-2, others[0]], normals[:-2, others[1]] = edges[:, 1], -edges[:, 0]
    normals[-2, along], normals[-1, along] = 1, -1
    flat = normals[:-2][:, others]
    # Outward is away from the polygon's middle, whichever way round the corners were given.
    flat_limits = (flat * points).sum(1)
    sense = np.where(flat_limits < flat @ points.mean(0), -1.0, 1.0)
    normals[:-2] *= sense[:, None]
    limits = np.concatenate([flat_limits * sense, [1.0, 1.0]])
    linear, offset = _placed(half, centre, None)
    return Solid(linear, offset, None, normals, limits, albedo, pattern)


@dataclass(frozen=True)
class Body:
    """Solids made ready for casting: their surfaces in homogeneous object coordinates (x, y, z, 1)."""

    planes: np.ndarray
    """(m, 4): outside where planes @ (x, y, z, 1) > 0."""
    first_plane: np.ndarray
    """(solids + 1,) where each solid's planes begin."""
    quadrics: np.ndarray
    """(solids, 4, 4) symmetric: outside where the form is positive; zero where a solid has none."""
    radii: np.ndarray
    """(solids, 4): c + k u_z; positive on the nappe of a cone that counts."""
    curved: np.ndarray
    """(solids,) whether there is a quadric."""
    frames: np.ndarray
    """(solids, 3, 4) unit space -> object space."""
    balls: np.ndarray
    """(solids,) whether the solid is inside the unit ball of its frame."""
    albedo: np.ndarray
    """(solids,)"""
    pattern: np.ndarray
    """(solids,)"""

    @classmethod
    def from_solids(cls, solids: Sequence[Solid]) -> Body:
        """Gather the surfaces of some solids."""
        planes, quadrics, radii, frames = [], [], [], []
        for solid in solids:
            unit = np.concatenate([solid.linear, solid.offset[:, None]], 1)
            planes.append(solid.normals @ unit - np.outer(solid.limits, [0, 0, 0, 1]))
            s, c, k = solid.quadric or (0.0, 0.0, 0.0)
            radii.append(k * unit[2] + [0, 0, 0, c])
            form = unit.T @ (np.array([[1.0], [1.0], [s]]) * unit) - np.outer(radii[-1], radii[-1])
            quadrics.append(form if solid.quadric else np.zeros((4, 4)))
            inverse = np.linalg.inv(solid.linear)
            frames.append(np.concatenate([inverse, -inverse @ solid.offset[:, None]], 1))
        return cls(
            np.concatenate(planes),
            np.cumsum([0] + [len(solid.limits) for solid in solids]),
            np.stack(quadrics),
            np.stack(radii),
            np.array([solid.quadric is not None for solid in solids]),
            np.stack(frames),
            np.array([solid.quadric is not None and solid.quadric[0] == 1 for solid in solids]),
            np.array([solid.albedo for solid in solids]),
            np.array([solid.pattern for solid in solids]),
        )


@dataclass(frozen=True)
class Picture:
    """What the rays saw.

    ``depth`` (h, w): coordinate towards the viewer of the nearest surface, -inf where there is none;
    ``shade`` (h, w): Lambert shading times albedo; ``pattern`` (h, w): share of the pattern.
    """

    depth: np.ndarray
    shade: np.ndarray
    pattern: np.ndarray


PARALLEL = 1e-9
"""A surface whose slope along the ray is below this runs along it."""


def cast(
    body: Body,
    x: np.ndarray,
    y: np.ndarray,
    light: np.ndarray,
    *,
    rotation: np.ndarray | None = None,
    scale: float = 1.0,
    shift: Vector = (0.0, 0.0, 0.0),
) -> Picture:
    """Ray-cast a body orthographically along z, seen from +z.

    Parameters
    ----------
    body
        The union of its solids is drawn.
    x, y
        (w,) ascending and (h,) descending coordinates of the columns and rows of rays, in view space: x to
        the right, y up, z towards the viewer.
    light
        (3,) unit vector in view space that points to the lamp.
    rotation, scale, shift
        Where the object's space is in view space: a point p is seen at scale · rotation @ p + shift.

    Returns
    -------
    Picture
        Shading is albedo × (AMBIENT + (1 − AMBIENT) × max(0, normal · light)) (Lambert's law).
    """
    depth = np.full((len(y), len(x)), -np.inf)
    picture = Picture(depth, np.zeros_like(depth), np.zeros_like(depth))
    turn = np.eye(3) if rotation is None else rotation
    shift = np.asarray(shift, float)
    back = np.zeros((4, 4))  # view space -> object space
    back[:3, :3], back[:3, 3], back[3, 3] = turn.T / scale, -turn.T @ shift / scale, 1

    planes = body.planes @ back
    plane_brightness = planes[:, :3] @ light / np.sqrt((planes[:, :3] ** 2).sum(1))
    slopes = planes[:, 2]
    sense = np.where(np.abs(slopes) <= PARALLEL, 0.0, np.sign(slopes))
    # Where rays cross a plane: z = crossing @ (x, y, 1).
    crossings = planes[:, [0, 1, 3]] / np.where(sense == 0, 1, -slopes)[:, None]
    quadrics = back.T @ body.quadrics @ back
    radii = body.radii @ back

    frames = scale * (turn @ body.frames)
    centre = frames[:, :2, 3] + shift[:2]
    # Half extents on the screen: of the parallelepiped around the unit cube or, for a ball, of the ball.
    axes = frames[:, :2, :3]
    extent = np.where(body.balls[:, None], np.sqrt((axes**2).sum(2)), np.abs(axes).sum(2))
    low, high = centre - extent, centre + extent
    left, right = x.searchsorted(low[:, 0]), x.searchsorted(high[:, 0])
    top, bottom = (-y).searchsorted(-high[:, 1]), (-y).searchsorted(-low[:, 1])
    for index in np.flatnonzero((left < right) & (top < bottom)):
        own = slice(body.first_plane[index], body.first_plane[index + 1])
        solid = _SolidInView(
            planes[own],
            sense[own],
            crossings[own],
            plane_brightness[own],
            quadrics[index] if body.curved[index] else None,
            radii[index, 2].item(),
            body.albedo[index],
            body.pattern[index],
            slice(top[index], bottom[index]),
            slice(left[index], right[index]),
        )
        _draw(solid, x, y, light, picture)
    return picture


@dataclass(frozen=True)
class _SolidInView:
    """One solid in view space, and the part of the picture that it may cover; fields as of :class:`Body`."""

    planes: np.ndarray
    sense: np.ndarray
    """(m,) 1 where a plane faces the viewer, -1 where it faces away, 0 where the rays run along it."""
    crossings: np.ndarray
    """(m, 3): the ray at (x, y) crosses a plane at z = crossings @ (x, y, 1)."""
    plane_brightness: np.ndarray
    """(m,) cosine of the angle between a plane's normal and the light."""
    quadric: np.ndarray | None
    taper: float
    """Growth of a cone's radius along the ray, per unit of z."""
    albedo: float
    pattern: float
    rows: slice
    columns: slice


@dataclass(frozen=True)
class _Interval:
    """Where rays are inside a surface: ``lower`` ≤ z ≤ ``upper``, for rays that ``hit`` it; each (h, w)."""

    lower: np.ndarray | float = -np.inf
    upper: np.ndarray | float = np.inf
    hit: np.ndarray | bool = True


def _draw(solid: _SolidInView, x: np.ndarray, y: np.ndarray, light: np.ndarray, picture: Picture) -> None:
    """Draw one solid where it is nearer than what is there already."""
    x, y = x[solid.columns], y[solid.rows]
    facing = solid.sense > 0
    crossed = _cross(solid.crossings[facing], x, y)
    flat = _inside_planes(solid, crossed, x, y)
    curved = _Interval() if solid.quadric is None else _inside_quadric(solid.quadric, solid.taper, x, y)

    upper = np.asarray(np.minimum(curved.upper, flat.upper))
    visible = upper >= np.maximum(flat.lower, curved.lower)
    visible &= (upper > picture.depth[solid.rows, solid.columns]) & flat.hit & curved.hit
    seen = visible.ravel().nonzero()[0]
    if not len(seen):
        return
    row, column = np.divmod(seen, len(x))
    z = upper.ravel()[seen]

    brightness = np.empty(len(z))
    on_plane = np.ones(len(z), bool)
    if solid.quadric is not None and isinstance(curved.upper, np.ndarray):
        points = np.ones((len(z), 4))
        points[:, 0], points[:, 1], points[:, 2] = x[column], y[row], z
        gradient = points @ solid.quadric[:, :3]
        brightness = gradient @ light / np.sqrt(np.maximum((gradient * gradient).sum(1), 1e-24))
        on_plane = z < curved.upper.ravel()[seen]
    if on_plane.any():
        nearest = crossed.reshape(len(crossed), -1)[:, seen[on_plane]].argmin(0)
        brightness[on_plane] = solid.plane_brightness[facing][nearest]
    place = (row + solid.rows.start, column + solid.columns.start)
    picture.depth[place] = z
    picture.shade[place] = solid.albedo * AMBIENT + solid.albedo * (1 - AMBIENT) * np.maximum(brightness, 0)
    picture.pattern[place] = solid.pattern


def _cross(crossings: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return where the rays cross some planes: (planes, h, w), each a sum of a row and a column."""
    by_row, by_column = crossings[:, 1:2] * y + crossings[:, 2:], crossings[:, :1] * x
    return np.asarray(by_row[:, :, None] + by_column[:, None, :])


def _inside_planes(solid: _SolidInView, crossed: np.ndarray, x: np.ndarray, y: np.ndarray) -> _Interval:
    """Return where rays are behind all planes; ``crossed`` is where they cross those that face the viewer."""
    away = solid.sense < 0
    hit: np.ndarray | bool = True
    for a, b, _, d in solid.planes[solid.sense == 0].tolist():
        hit = hit & ((b * y + d)[:, None] + a * x <= 0)
    return _Interval(
        lower=_cross(solid.crossings[away], x, y).max(0) if away.any() else -np.inf,
        upper=crossed.min(0) if len(crossed) else np.inf,
        hit=hit,
    )


def _inside_quadric(quadric: np.ndarray, taper: float, x: np.ndarray, y: np.ndarray) -> _Interval:
    """Return where rays are inside a quadric.

    Along the ray at (x, y), with w = (x, y, 1), the form is square z² + 2 (half · w) z + w' constant w. Its
    roots in z, vertex ± root, bound the interval.

    Example: the unit ball, whose form is x² + y² + z² − 1. Here square = 1, half = (0, 0, 0) and constant =
    diag(1, 1, −1). The ray at (0.6, 0) has z² + 0.36 − 1, hence vertex = 0, root = √0.64 and the interval
    −0.8 ≤ z ≤ 0.8. The ray at (1, 1) has z² + 1, no real root, and misses.
    """
    square = quadric[2, 2].item()
    half = quadric[2, [0, 1, 3]]
    constant = quadric[[0, 1, 3]][:, [0, 1, 3]]
    if abs(square) <= PARALLEL:
        if abs(taper) <= PARALLEL:  # a cylinder seen along its axis
            return _Interval(hit=_form(constant, x, y) <= 0)
        square = PARALLEL
    half = half / square
    root = _form(half[:, None] * half - constant / square, x, y)
    hit = root >= 0
    root = np.sqrt(np.maximum(root, 0, out=root), out=root)
    vertex = (half[1] * -y - half[2])[:, None] - half[0] * x
    if square > 0:
        return _Interval(vertex - root, vertex + root, hit)
    # The ray is steeper than the cone: the nappe that counts bounds it on one side only.
    if taper < 0:
        return _Interval(upper=vertex - root, hit=hit)
    return _Interval(lower=vertex + root, hit=hit)


def _form(matrix: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return w' matrix w with w = (x, y, 1), for a symmetric (3, 3) matrix: (h, w)."""
    (xx, xy, x1), (_, yy, y1), (_, _, one) = matrix.tolist()
    result: np.ndarray = (2 * xy * y)[:, None] * x
    result += (xx * x + 2 * x1) * x
    result += ((yy * y + 2 * y1) * y + one)[:, None]
    return result
