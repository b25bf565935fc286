"""Convex solids and their ray-casting: the geometry under every rendered object.

A solid is the image, under an affine map, of a unit solid inside the cube [-1, 1]³: an optional quadric
(ball, cylinder or cone) cut by half-spaces. Every solid is convex, so an orthographic ray meets it in one
interval: the intersection of the quadric's interval with those of the half-spaces. Terms that are linear in
the pixel's coordinates are outer sums of a row and a column, and many solids are cast at a time, which makes
the ray-casting fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

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
class View:
    """A body as it is seen: a point p of its space is at scale · rotation @ p + shift."""

    body: Body
    light: np.ndarray
    """(3,) unit vector in view space that points to the lamp."""
    rotation: np.ndarray = field(default_factory=lambda: np.eye(3))
    scale: float = 1.0
    shift: Vector = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Picture:
    """What the rays of some views met, one entry a ray, by view, row and column.

    Rays that met nothing have no entry.
    """

    view: np.ndarray
    row: np.ndarray
    column: np.ndarray
    depth: np.ndarray
    """Coordinate towards the viewer of the nearest surface."""
    shade: np.ndarray
    """Lambert's shading times albedo."""
    pattern: np.ndarray
    """Share of the pattern."""


PARALLEL = 1e-9
"""A surface whose slope along the ray is below this runs along it."""
TILE = 4
"""Rays along each side of a tile: the part of the screen that a solid may cover is cast in tiles."""


def cast(views: Sequence[View], x: np.ndarray, y: np.ndarray) -> Picture:
    """Ray-cast bodies orthographically along z, seen from +z, each in a picture of its own.

    The solids of all views are cast side by side, which spares calls of numpy; a view's rays do not depend on
    the views beside it.

    Parameters
    ----------
    views
        Of each the union of its solids is drawn.
    x, y
        (w,) ascending and (h,) descending coordinates of the columns and rows of rays, in view space: x to
        the right, y up, z towards the viewer.

    Returns
    -------
    Picture
        Shading is albedo × (AMBIENT + (1 − AMBIENT) × max(0, normal · light)) (Lambert's law).
    """
    solids = _solids_in_view(views, x, y)
    # A kind at a time, so that nothing is computed of surfaces that a solid does not have.
    has_planes = (solids.facing.counts > 0) | (solids.away.counts > 0) | (solids.along.counts > 0)
    kinds = (solids.curved & ~has_planes, solids.curved & has_planes, ~solids.curved)
    hits = [_cast(solids, (kind & solids.on_screen).nonzero()[0], x, y) for kind in kinds]
    ray, solid, depth, on_plane = (np.concatenate(parts) for parts in zip(*hits, strict=True))

    # The nearest solid that a ray meets; of equally near ones the first.
    nearest = np.full(len(views) * len(y) * len(x), -np.inf)
    np.maximum.at(nearest, ray, depth)
    near = (depth == nearest[ray]).nonzero()[0]
    first = np.full(len(nearest), len(solids.curved))
    np.minimum.at(first, ray[near], solid[near])
    near = near[solid[near] == first[ray[near]]]
    hit_of = np.empty(len(nearest), np.int64)
    hit_of[ray[near]] = near
    seen = hit_of[nearest > -np.inf]

    view, place = np.divmod(ray[seen], len(y) * len(x))
    row, column = np.divmod(place, len(x))
    solid, depth = solid[seen], depth[seen]
    brightness = _brightness(solids, solid, on_plane[seen], x[column], y[row], depth)
    albedo = solids.albedo[solid]
    shade = albedo * AMBIENT + albedo * (1 - AMBIENT) * np.maximum(brightness, 0)
    return Picture(view, row, column, depth, shade, solids.pattern[solid])


@dataclass(frozen=True)
class _Planes:
    """Planes of one sense, of every solid as many as of the one with the most."""

    counts: np.ndarray
    """(solids,)"""
    lines: np.ndarray
    """(most, 3, solids): the ray at (x, y) crosses a plane at z = line @ (x, y, 1); of planes that run along
    the rays, rays with line @ (x, y, 1) ≤ 0 are behind it."""
    brightness: np.ndarray
    """(most, solids) cosine of the angle between a plane's normal and the light."""

    @classmethod
    def of(cls, owner: np.ndarray, n: int, lines: np.ndarray, brightness: np.ndarray, z: float) -> _Planes:
        """Gather planes by their owner, of n solids; those that one lacks are at a z that decides nothing."""
        counts = np.bincount(owner, minlength=n)
        place = np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner]
        most = int(counts.max(initial=0))
        table = np.zeros((most, 3, n))
        table[:, 2] = z
        table[place, :, owner] = lines
        shades = np.zeros((most, n))
        shades[place, owner] = brightness
        return cls(counts, table, shades)


@dataclass(frozen=True)
class _SolidsInView:
    """The solids of some views, in view space; what has one entry for each has it on the last axis."""

    view: np.ndarray
    facing: _Planes
    """Planes that face the viewer."""
    away: _Planes
    """Planes that face away from the viewer."""
    along: _Planes
    """Planes along which the rays run."""
    curved: np.ndarray
    """Whether there is a quadric."""
    quadric: np.ndarray
    """(4, 4, solids)"""
    taper: np.ndarray
    """Growth of a cone's radius along the ray, per unit of z."""
    albedo: np.ndarray
    pattern: np.ndarray
    light: np.ndarray
    """(3, solids)"""
    rows: np.ndarray
    """(2, solids): the first row that a solid may cover, and the one after the last."""
    columns: np.ndarray
    """(2, solids)"""

    @property
    def on_screen(self) -> np.ndarray:
        """Whether a solid may cover a ray."""
        return np.asarray((self.rows[0] < self.rows[1]) & (self.columns[0] < self.columns[1]))


def _solids_in_view(views: Sequence[View], x: np.ndarray, y: np.ndarray) -> _SolidsInView:
    parts = [_placed_surfaces(view) for view in views]
    planes, plane_brightness, quadrics, radii, centre, extent = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    bodies = [view.body for view in views]
    of_views = np.repeat(np.arange(len(views)), [len(body.curved) for body in bodies])
    n = len(of_views)
    owner = np.repeat(np.arange(n), np.concatenate([np.diff(body.first_plane) for body in bodies]))

    slopes = planes[:, 2]
    is_along = np.abs(slopes) <= PARALLEL
    lines = planes[:, [0, 1, 3]] / np.where(is_along, 1, -slopes)[:, None]

    def gathered(chosen: np.ndarray, z: float) -> _Planes:
        return _Planes.of(owner[chosen], n, lines[chosen], plane_brightness[chosen], z)

    low, high = centre - extent, centre + extent
    return _SolidsInView(
        view=of_views,
        facing=gathered(~is_along & (slopes > 0), np.inf),
        away=gathered(~is_along & (slopes < 0), -np.inf),
        along=gathered(is_along, -np.inf),
        curved=np.concatenate([body.curved for body in bodies]),
        quadric=np.ascontiguousarray(quadrics.transpose(1, 2, 0)),
        taper=radii[:, 2],
        albedo=np.concatenate([body.albedo for body in bodies]),
        pattern=np.concatenate([body.pattern for body in bodies]),
        light=np.stack([view.light for view in views], 1)[:, of_views],
        rows=np.stack([(-y).searchsorted(-high[:, 1]), (-y).searchsorted(-low[:, 1])]),
        columns=np.stack([x.searchsorted(low[:, 0]), x.searchsorted(high[:, 0])]),
    )


def _placed_surfaces(view: View) -> tuple[np.ndarray, ...]:
    """Return planes, their brightness, quadrics, radii; and centres and half extents on the screen."""
    body, turn, shift = view.body, view.rotation, np.asarray(view.shift, float)
    back = np.zeros((4, 4))  # view space -> object space
    back[:3, :3], back[:3, 3], back[3, 3] = turn.T / view.scale, -turn.T @ shift / view.scale, 1
    planes = body.planes @ back
    brightness = planes[:, :3] @ view.light / np.sqrt((planes[:, :3] ** 2).sum(1))
    frames = view.scale * (turn @ body.frames)
    # Half extents: of the parallelepiped around the unit cube or, for a ball, of the ball.
    axes = frames[:, :2, :3]
    extent = np.where(body.balls[:, None], np.sqrt((axes**2).sum(2)), np.abs(axes).sum(2))
    centre = frames[:, :2, 3] + shift[:2]
    return planes, brightness, back.T @ body.quadrics @ back, body.radii @ back, centre, extent


def _cast(solids: _SolidsInView, chosen: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, ...]:
    """Cast some solids of one kind: curved or not, with planes or without.

    Returns
    -------
    tuple
        Of every ray that meets a solid: its number (view, row, column), the solid, the depth, and whether it
        is a plane that it meets. A ray that meets several has an entry for each.
    """
    # Tiles are the last axis: (TILE, TILE, tiles).
    top, bottom = solids.rows[:, chosen]
    left, right = solids.columns[:, chosen]
    down, across = -((top - bottom) // TILE), -((left - right) // TILE)
    number = down * across
    which = np.repeat(np.arange(len(chosen)), number)
    tile_down, tile_across = np.divmod(
        np.arange(len(which)) - np.repeat(np.cumsum(number) - number, number), across[which]
    )
    inside = np.arange(TILE)[:, None]
    row, column = top[which] + TILE * tile_down + inside, left[which] + TILE * tile_across + inside
    solid = chosen[which]
    w = x[np.minimum(column, len(x) - 1)][None], y[np.minimum(row, len(y) - 1)][:, None]

    visible = (row < bottom[which])[:, None] & (column < right[which])
    upper: np.ndarray | float = np.inf
    lower: np.ndarray | float = -np.inf
    curved_upper: np.ndarray | float = np.inf
    if len(chosen) and solids.curved[chosen[0]]:
        lower, curved_upper, hit = _inside_quadrics(solids, chosen, which, *w)
        upper = curved_upper
        visible &= hit
    for line in solids.facing.lines[: solids.facing.counts[chosen].max(initial=0)]:
        upper = np.minimum(upper, _at(line[:, solid], *w))
    for line in solids.away.lines[: solids.away.counts[chosen].max(initial=0)]:
        lower = np.maximum(lower, _at(line[:, solid], *w))
    for line in solids.along.lines[: solids.along.counts[chosen].max(initial=0)]:
        visible &= _at(line[:, solid], *w) <= 0
    visible &= upper >= lower

    seen = visible.ravel().nonzero()[0]
    ray = ((solids.view[solid] * len(y) + row) * len(x))[:, None] + column
    on_plane = np.broadcast_to(upper < curved_upper, visible.shape)
    flat = [np.broadcast_to(part, visible.shape).ravel()[seen] for part in (ray, solid, upper, on_plane)]
    return tuple(flat)


def _at(line: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return line @ (x, y, 1), as a sum of a row and a column."""
    result: np.ndarray = (line[1] * y + line[2]) + line[0] * x
    return result


def _inside_quadrics(
    solids: _SolidsInView, chosen: np.ndarray, which: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where the rays of tiles are inside the quadrics of their solids, ``chosen[which]``.

    Along the ray at (x, y), with w = (x, y, 1), the form is square z² + 2 (half · w) z + w' constant w. Its
    roots in z, vertex ± root, bound the interval.

    Example: the unit ball, whose form is x² + y² + z² − 1. Here square = 1, half = (0, 0, 0) and constant =
    diag(1, 1, −1). The ray at (0.6, 0) has z² + 0.36 − 1, hence vertex = 0, root = √0.64 and the interval
    −0.8 ≤ z ≤ 0.8. The ray at (1, 1) has z² + 1, no real root, and misses.

    Returns
    -------
    tuple
        Lower and upper end of the interval, and whether there is one.
    """
    quadric, taper = solids.quadric[:, :, chosen], solids.taper[chosen]
    square, half = quadric[2, 2], quadric[2, [0, 1, 3]]
    constant = quadric[[0, 1, 3]][:, [0, 1, 3]]
    is_parallel = np.abs(square) <= PARALLEL
    # A cylinder seen along its axis has no ends: rays are inside where the constant form is negative.
    is_axial = is_parallel & (np.abs(taper) <= PARALLEL)
    square = np.where(is_parallel, PARALLEL, square)
    half = half / square
    matrix = np.where(is_axial, -constant, half[:, None] * half - constant / square)
    (xx, xy, x1), (_, yy, y1), (_, _, one) = matrix
    # The ray may be steeper than the cone: the nappe that counts bounds it on one side only.
    is_steep = square < 0
    terms = [2 * xy, xx, 2 * x1, yy, 2 * y1, one, *half, np.where(is_steep, -1.0, 1.0)]
    xy2, xx, x2, yy, y2, one, half_x, half_y, half_1, sense = np.stack(terms)[:, which]

    root = (xy2 * y) * x
    root += (xx * x + x2) * x
    root += (yy * y + y2) * y + one
    hit = root >= 0
    root = np.sqrt(np.maximum(root, 0, out=root), out=root)
    root *= sense
    vertex = (half_y * -y - half_1) - half_x * x
    lower, upper = vertex - root, vertex + root
    lower[:, :, (is_axial | (is_steep & (taper < 0)))[which]] = -np.inf
    upper[:, :, (is_axial | (is_steep & (taper >= 0)))[which]] = np.inf
    return lower, upper, hit


def _brightness(
    solids: _SolidsInView,
    solid: np.ndarray,
    on_plane: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
) -> np.ndarray:
    """Return the cosine of the angle to the light where rays meet solids, on a plane or on a quadric."""
    brightness = np.empty(len(z))
    flat, curved = on_plane.nonzero()[0], (~on_plane).nonzero()[0]
    owner = solid[flat]
    if len(flat):
        crossed = [_at(line[:, owner], x[flat], y[flat]) for line in solids.facing.lines]
        brightness[flat] = solids.facing.brightness[np.argmin(crossed, 0), owner]
    owner = solid[curved]
    x, y, z = x[curved], y[curved], z[curved]
    gradient = [a * x + b * y + c * z + d for a, b, c, d in solids.quadric[:, :3, owner].swapaxes(0, 1)]
    to_light = sum(part * lamp for part, lamp in zip(gradient, solids.light[:, owner], strict=True))
    brightness[curved] = to_light / np.sqrt(np.maximum(sum(part * part for part in gradient), 1e-24))
    return brightness
