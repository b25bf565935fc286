"""The ray-caster against a slow one that knows only what it means to be inside a solid."""

from __future__ import annotations

import numpy as np
import pytest

from tgsage.demo.rendering.solids import AMBIENT, Body, View, ball, box, cast, prism, tube

LIGHT = np.array([-0.4, 0.6, 0.7]) / np.linalg.norm([-0.4, 0.6, 0.7])


def view(solids, **place):
    return View(Body.from_solids(solids), LIGHT, **place)


def cast_whole(views, axis):
    """Depth, shade and pattern (views, rows, columns); -inf and 0 where rays met nothing."""
    picture = cast(views, axis, -axis)
    shape = len(views), len(axis), len(axis)
    whole = np.full(shape, -np.inf), np.zeros(shape), np.zeros(shape)
    for plane, values in zip(whole, (picture.depth, picture.shade, picture.pattern), strict=True):
        plane[picture.view, picture.row, picture.column] = values
    return whole


def excess(solid, point):
    """How far outside its constraints a point is; 0 on the surface, negative within."""
    u = solid.linear @ point + solid.offset
    values = list(solid.normals @ u - solid.limits)
    if solid.quadric:
        s, c, k = solid.quadric
        values.append(u[0] ** 2 + u[1] ** 2 + s * u[2] ** 2 - (c + k * u[2]) ** 2)
        values.append(-(c + k * u[2]))  # the other nappe does not count
    return max(values)


def slow_ray(solid, x, y, step=0.01):
    """March from the viewer towards the object, then bisect: depth of the surface, or -inf."""
    before = 1.3
    for z in np.arange(1.3, -1.3, -step):
        if excess(solid, np.array([x, y, z])) <= 0:
            inside, outside = z, before
            for _ in range(40):
                middle = (inside + outside) / 2
                if excess(solid, np.array([x, y, middle])) <= 0:
                    inside = middle
                else:
                    outside = middle
            return inside
        before = z
    return -np.inf


def slow_shade(solid, point):
    """Lambert shading from the numerical gradient of the active constraint."""
    steps = np.eye(3) * 1e-6
    outside = point + np.array([0, 0, 1e-5])
    gradient = np.array([excess(solid, outside + h) - excess(solid, outside - h) for h in steps])
    return solid.albedo * (AMBIENT + (1 - AMBIENT) * max(0.0, gradient @ LIGHT / np.linalg.norm(gradient)))


def rotation(rng):
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    return q * np.sign(np.linalg.det(q))


SOLIDS = {
    "ball": ball((0.1, -0.1, 0.0), (0.7, 0.4, 0.5), 0.8),
    "box": box((0.0, 0.1, 0.1), (0.6, 0.3, 0.4), 0.6),
    "cylinder": tube((-0.4, -0.3, 0.1), (0.5, 0.4, -0.1), 0.3, 0.9),
    "cone": tube((0.0, -0.5, 0.0), (0.1, 0.6, 0.2), 0.6, 0.9, radius_end=0.05),
    "flat_cone": tube((0.0, -0.1, 0.0), (0.0, 0.1, 0.0), 0.8, 0.9, radius_end=0.2, flatten=0.6),
    "prism": prism([(-0.6, -0.3), (0.7, -0.2), (0.1, 0.5), (-0.5, 0.4)], "z", -0.3, 0.4, 0.7),
    "clockwise_prism": prism([(-0.5, 0.4), (0.1, 0.5), (0.7, -0.2)], "y", -0.3, 0.4, 0.7),
    "cut_ball": ball((0, 0, 0), (0.8, 0.5, 0.6), 0.7).cut((0.3, 1, 0.2), (0, 0.1, 0)),
}


@pytest.mark.parametrize("name", SOLIDS)
def test_agrees_with_marching(name):
    solid = SOLIDS[name]
    rng = np.random.default_rng(len(name))
    hits = 0
    for _ in range(3):
        turned = rotation(rng)
        axis = np.linspace(-0.93, 0.97, 9)
        place = {"rotation": turned, "scale": 1.1, "shift": (0.05, -0.02, 0)}
        (depths,), (shades,), _ = cast_whole([view([solid], **place)], axis)
        placed = solid.mapped(turned, 1.1, (0.05, -0.02, 0))
        for row, y in enumerate(-axis):
            for column, x in enumerate(axis):
                depth = slow_ray(placed, x, y)
                if not np.isfinite(depth):
                    # Marching may step over a sliver; it never misses what is thicker than its step.
                    continue
                hits += 1
                assert depths[row, column] == pytest.approx(depth, abs=1e-7)
                shade = slow_shade(placed, np.array([x, y, depth]))
                assert shades[row, column] == pytest.approx(shade, abs=2e-3)
        # And it sees nothing where there is nothing: every surface found is a surface.
        for row, column in zip(*np.nonzero(depths > -np.inf), strict=True):
            point = np.array([axis[column], -axis[row], depths[row, column]])
            assert excess(placed, point) == pytest.approx(0, abs=1e-6)
    assert hits > 20


@pytest.mark.parametrize("radius_end", [0.5, 0.1, 0.9])
def test_tubes_seen_along_their_axis(radius_end):
    """Both ends, where rays run along a cylinder's side and are steeper than a cone's."""
    for sign in (1, -1):
        solid = tube((0, 0, -0.5 * sign), (0, 0, 0.5 * sign), 0.5, 1.0, radius_end=radius_end)
        axis = np.linspace(-0.61, 0.67, 10)
        (depths,), _, _ = cast_whole([view([solid])], axis)
        for row, y in enumerate(-axis):
            for column, x in enumerate(axis):
                assert depths[row, column] == pytest.approx(slow_ray(solid, x, y), abs=1e-6)


def test_ball_is_shaded_by_lambert():
    axis = np.linspace(-1, 1, 41)
    (depth,), (shade,), _ = cast_whole([view([ball((0, 0, 0), 1.0, 0.5)])], axis)
    x, y = np.meshgrid(axis, -axis)
    inside = x**2 + y**2 < 0.999
    normal = np.stack([x, y, np.sqrt(np.maximum(0, 1 - x**2 - y**2))], -1)
    expected = 0.5 * (AMBIENT + (1 - AMBIENT) * np.maximum(0, normal @ LIGHT))
    np.testing.assert_allclose(shade[inside], expected[inside], atol=1e-12)
    assert np.isneginf(depth[x**2 + y**2 > 1.001]).all()


def test_the_nearer_solid_hides_the_other_in_either_order():
    near, far = ball((0, 0, 0.5), 0.3, 1.0, pattern=0), box((0, 0, -0.5), (0.8, 0.8, 0.1), 0.2)
    axis = np.linspace(-1, 1, 31)
    depth, shade, pattern = cast_whole([view([near, far]), view([far, near])], axis)
    np.testing.assert_array_equal(depth[0], depth[1])
    np.testing.assert_array_equal(shade[0], shade[1])
    assert pattern[0, 15, 15] == 0
    assert pattern[0, 5, 5] == 1
    assert depth[0, 15, 15] == pytest.approx(0.8)
    assert depth[0, 5, 5] == pytest.approx(-0.4)


def test_of_equally_near_solids_the_first_is_drawn():
    first, second = (box((0, 0, 0), (0.5, 0.5, 0.5), albedo) for albedo in (0.9, 0.1))
    _, shade, _ = cast_whole([view([first, second]), view([first]), view([second])], np.linspace(-1, 1, 9))
    np.testing.assert_array_equal(shade[0], shade[1])
    assert shade[1].max() > 2 * shade[2].max() > 0


def test_views_beside_each_other_change_nothing():
    """Whatever surfaces the others have, and also where one is off the screen or smaller than a pixel."""
    rng = np.random.default_rng(0)
    views = [view([solid], rotation=rotation(rng), scale=0.9) for solid in SOLIDS.values()]
    views += [view(list(SOLIDS.values()), shift=shift) for shift in ((0.2, 0.1, 0), (9, 9, 0), (0, 0, 5))]
    views.append(view([SOLIDS["cone"]], scale=1e-3))
    axis = np.linspace(-1.1, 1.1, 23)
    together = cast_whole(views, axis)
    for number, alone in enumerate(views):
        for plane, expected in zip(together, cast_whole([alone], axis), strict=True):
            np.testing.assert_array_equal(plane[number], expected[0])
    assert np.isneginf(together[0][-3]).all() and not np.isneginf(together[0][-2]).all()
