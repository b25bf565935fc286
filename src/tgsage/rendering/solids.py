"""Convex solids and their ray-casting: the geometry under every rendered object.

A solid is the image, under an affine map, of a unit solid inside the cube [-1, 1]³: an optional quadric
(ball, cylinder or cone) cut by half-spaces. Every solid is convex, so an orthographic ray meets it in one
interval, which is the intersection of the quadric's interval with those of the half-spaces. What is linear
in the pixel's coordinates stays an outer sum of a row and a column, which is what makes it quick.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

__all__ = ["Body", "Picture", "Solid", "ball", "box", "cast", "prism", "tube"]

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
        return replace(
            self,
            normals=np.concatenate([self.normals, in_unit[None]]),
            limits=np.append(self.limits, limit),
        )

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
    start: Vector, end: Vector, radius: float, albedo: float, *, radius_end: float | None = None,
    flatten: float = 1.0, pattern: float = 1,
) -> Solid:  # fmt: skip
    """Build a cylinder, or a cone, between two points; ``flatten`` squeezes it along its second axis."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    axis = end - start
    length = np.linalg.norm(axis)
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
    """Build a convex polygon extruded along an axis.

    Parameters
    ----------
    outline
        Corners in either sense of rotation, in the two other coordinates in alphabetical order.
    axis
        ``"x"``, ``"y"`` or ``"z"``.
    low, high
        Where along the axis it begins and ends.
    albedo, pattern
        As in :class:`Solid`.
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
    """(solids, 4): c + k u_z; on the nappe of a cone that counts it is positive."""
    curved: np.ndarray
    """(solids,) whether there is a quadric."""
    frames: np.ndarray
    """(solids, 3, 4) unit space -> object space."""
    balls: np.ndarray
    """(solids,) whether the solid is inside the unit ball of its frame."""
    albedo: np.ndarray
    pattern: np.ndarray

    @classmethod
    def of(cls, solids: Sequence[Solid]) -> Body:
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


@dataclass
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
    body: Body, x: np.ndarray, y: np.ndarray, light: np.ndarray, *,
    rotation: np.ndarray | None = None, scale: float = 1.0, shift: Vector = (0.0, 0.0, 0.0),
) -> Picture:  # fmt: skip
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
    flat = planes[:, :3] @ light / np.sqrt((planes[:, :3] ** 2).sum(1))
    slopes = planes[:, 2]
    sense = np.where(np.abs(slopes) <= PARALLEL, 0.0, np.sign(slopes))
    # Where rays cross a plane: z = crossing @ (x, y, 1).
    crossings = planes[:, [0, 1, 3]] / np.where(sense == 0, 1, -slopes)[:, None]
    quadrics = back.T @ body.quadrics @ back
    radii = body.radii @ back

    frames = scale * (turn @ body.frames)
    centre = frames[:, :2, 3] + shift[:2]
    # Half extents on the screen: of the parallelepiped around the unit cube or, for a ball, of the ball.
    rows_of = frames[:, :2, :3]
    extent = np.where(body.balls[:, None], np.sqrt((rows_of**2).sum(2)), np.abs(rows_of).sum(2))
    low, high = centre - extent, centre + extent
    left, right = x.searchsorted(low[:, 0]), x.searchsorted(high[:, 0])
    top, bottom = (-y).searchsorted(-high[:, 1]), (-y).searchsorted(-low[:, 1])
    for index in np.flatnonzero((left < right) & (top < bottom)):
        own = slice(body.first_plane[index], body.first_plane[index + 1])
        _draw(
            planes[own], sense[own], crossings[own], flat[own],
            quadrics[index] if body.curved[index] else None, radii[index],
            x, y, slice(top[index], bottom[index]), slice(left[index], right[index]), light,
            body.albedo[index], body.pattern[index], picture,
        )  # fmt: skip
    return picture


def _form(matrix: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return w' matrix w with w = (x, y, 1), for a symmetric (3, 3) matrix: (h, w)."""
    (xx, xy, x1), (_, yy, y1), (_, _, one) = matrix.tolist()
    result = (2 * xy * y)[:, None] * x
    result += (xx * x + 2 * x1) * x
    result += ((yy * y + 2 * y1) * y + one)[:, None]
    return result


def _bounds(crossings: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return where the rays cross some planes: (planes, h, w), each a sum of a row and a column."""
    return (crossings[:, 1:2] * y + crossings[:, 2:])[:, :, None] + (crossings[:, :1] * x)[:, None, :]


def _draw(
    planes: np.ndarray, sense: np.ndarray, crossings: np.ndarray, flat: np.ndarray,
    quadric: np.ndarray | None, radius: np.ndarray, x: np.ndarray, y: np.ndarray, rows: slice,
    columns: slice, light: np.ndarray, albedo: float, pattern: float, picture: Picture,
) -> None:  # fmt: skip
    """Draw one solid where it is nearer than what is there already."""
    x, y = x[columns], y[rows]
    near_plane = near_curve = inside = facing = None
    farthest: np.ndarray | float = -np.inf
    if len(sense):
        facing, away = sense > 0, sense < 0
        crossed = _bounds(crossings[facing], x, y)
        if len(crossed):
            near_plane = crossed.min(0)
        if away.any():
            farthest = _bounds(crossings[away], x, y).max(0)
        for a, b, _, d in planes[~(facing | away)].tolist():  # planes that the rays run along
            here = (b * y + d)[:, None] + a * x <= 0
            inside = here if inside is None else inside & here
    if quadric is not None:
        # Along a ray the form is square z² + 2 (half @ w) z + w' constant w, with w = (x, y, 1).
        square = quadric[2, 2].item()
        half = quadric[2, [0, 1, 3]]
        constant = quadric[[0, 1, 3]][:, [0, 1, 3]]
        slope = radius[2].item()  # of the cone's radius along the ray
        if abs(square) <= PARALLEL and abs(slope) <= PARALLEL:  # a cylinder seen along its axis
            hit = _form(constant, x, y) <= 0
        else:
            if abs(square) <= PARALLEL:
                square = PARALLEL
            half = half / square
            root = _form(half[:, None] * half - constant / square, x, y)
            hit = root >= 0
            root = np.sqrt(np.maximum(root, 0, out=root), out=root)
            vertex = (half[1] * -y - half[2])[:, None] - half[0] * x
            # Steeper than the cone, a ray of the nappe that counts is bounded on one side only.
            if square > 0:
                near_curve = vertex + root
                farthest = np.maximum(farthest, vertex - root)
            elif slope < 0:
                near_curve = vertex - root
            else:
                farthest = np.maximum(farthest, vertex + root)
        inside = hit if inside is None else inside & hit
    if near_curve is None:
        nearest = near_plane
    else:
        nearest = near_curve if near_plane is None else np.minimum(near_curve, near_plane)
    visible = nearest >= farthest
    visible &= nearest > picture.depth[rows, columns]
    if inside is not None:
        visible &= inside
    seen = visible.ravel().nonzero()[0]
    if not len(seen):
        return
    row, column = np.divmod(seen, len(x))
    z = nearest.ravel()[seen]
    if near_curve is not None:
        points = np.ones((len(z), 4))
        points[:, 0], points[:, 1], points[:, 2] = x[column], y[row], z
        gradient = points @ quadric[:, :3]
        brightness = gradient @ light / np.sqrt(np.maximum((gradient * gradient).sum(1), 1e-24))
    if near_plane is not None:
        crossed = crossed.reshape(len(crossed), -1)
        if near_curve is None:
            brightness = flat[facing][crossed[:, seen].argmin(0)]
        else:
            on_plane = (near_plane.ravel()[seen] < near_curve.ravel()[seen]).nonzero()[0]
            if len(on_plane):
                brightness[on_plane] = flat[facing][crossed[:, seen[on_plane]].argmin(0)]
    place = (row + rows.start, column + columns.start)
    picture.depth[place] = z
    picture.shade[place] = albedo * AMBIENT + albedo * (1 - AMBIENT) * np.maximum(brightness, 0)
    picture.pattern[place] = pattern
