"""Fields of which the picture can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engines.assets import Field
from engines.errors import UnsuitableAsset
from engines.field_lattice import field_from_grid
from generators.fields.rendering import Care, View, density_at, opened, render
from generators.radiance.cameras import looking_at
from tests.generators.fields.lattices import ball


def slab(density: float) -> Field:
    """2 m wide and high, 0.5 m thick along z, of one density and colour."""
    shape = (21, 21, 6)
    sh = np.zeros((*shape, 1, 3))
    sh[..., 0, :] = (np.array([0.9, 0.4, 0.1]) - 0.5) / 0.28209479177387814
    return field_from_grid(np.full(shape, density), sh, low_m=(-1, -1, -0.25), pitch_m=0.1)


@pytest.mark.parametrize("density", [0.5, 3.0, 40.0])
def test_a_slab_stops_light_as_beer_and_lambert_say(density: float) -> None:
    camera = looking_at((0, 0, 3), (0, 0, 0), fov_y_deg=20, width=16, height=12)
    view = render(opened(slab(density)), camera, step=0.1)
    middle = view.opacity[5:7, 7:9]
    assert middle == pytest.approx(1 - np.exp(-density * 0.5), rel=0.03)
    np.testing.assert_allclose(view.colour[:, 6, 8] / view.opacity[6, 8], [0.9, 0.4, 0.1], atol=1e-3)
    if density > 10:
        assert view.depth[6, 8] == pytest.approx(3 - 0.25 + np.log(2) / density, abs=0.02)
    if density * 0.5 < np.log(2):
        assert view.depth[6, 8] == 0


def test_a_ball_stands_where_it_was_put_and_lights_the_right_side() -> None:
    field = ball()
    camera = looking_at((1, 2, 8), (1, 2, 3), fov_y_deg=40, width=61, height=61)
    view = render(opened(field), camera)
    y, x = np.nonzero(view.opacity > 0.5)
    assert (y.mean(), x.mean()) == (pytest.approx(30, abs=0.6), pytest.approx(30, abs=0.6))
    assert np.sqrt((view.opacity > 0.5).sum() / np.pi) == pytest.approx(camera.fy / np.sqrt(24), rel=0.06)
    assert view.depth[30, 30] == pytest.approx(4.0, abs=0.2)  # half the light is stopped a little inside
    assert view.colour[0, 30, 38] > view.colour[0, 30, 22] + 0.1
    assert view.opacity[2, 2] == 0 and view.depth[2, 2] == 0
    # from within, too
    inside = render(opened(field), looking_at((1, 2, 3), (2, 2, 3), fov_y_deg=60, width=8, height=8))
    assert (inside.opacity > 0.99).all()


def test_a_field_is_read_only() -> None:
    field = ball()
    for array in (field.bricks, field.occupied, field.density, field.sh):
        array.flags.writeable = False
    camera = looking_at((1, 2, 8), (1, 2, 3), fov_y_deg=40, width=9, height=9)
    assert render(opened(field), camera).opacity.max() > 0.9


def test_density_is_found_at_points() -> None:
    field = ball()
    points = np.array([[1, 2, 3], [1.5, 2.2, 3.1], [1, 2, 4.4], [40, 0, 0], [np.nan, 0, 0]], np.float32)
    np.testing.assert_allclose(density_at(opened(field), points), [60, 60, 0, 0, 0], rtol=1e-4, atol=1e-3)
    from engines.field_lattice import vertex_positions

    at = vertex_positions(field).reshape(-1, 3)
    inside = np.linalg.norm(at - [1, 2, 3], axis=1) < 0.9
    np.testing.assert_allclose(density_at(opened(field), at[inside]), 60, rtol=1e-4)


def test_harmonics_of_degree_one_change_with_the_direction() -> None:
    grid = np.full((9, 9, 9), 50.0)
    sh = np.zeros((9, 9, 9, 4, 3))
    sh[..., 2, 0] = 0.5  # the z term: with the direction of sight
    ready = opened(field_from_grid(grid, sh, low_m=(-0.4,) * 3, pitch_m=0.1))
    reds = [
        render(ready, looking_at((0, 0, z), (0, 0, 0), fov_y_deg=10, width=3, height=3)).colour[0, 1, 1]
        for z in (-3.0, 3.0)
    ]
    assert reds[0] == pytest.approx(0.5 + 0.4886 * 0.5, abs=0.01) and reds[1] == pytest.approx(
        0.5 - 0.4886 * 0.5, abs=0.01
    )


def test_a_field_that_lacks_bricks_is_drawn_without_what_reaches_into_them() -> None:
    field = ball()
    half = field.bricks[:, 0] < field.bricks[:, 0].mean()
    cut = Field(
        bricks=field.bricks[half], occupied=field.occupied[half], density=field.density[half], sh=field.sh[half],
        cells=field.cells, centre_m=field.centre_m, radius_m=field.radius_m,
    )  # fmt: skip
    camera = looking_at((1, 2, 8), (1, 2, 3), fov_y_deg=40, width=33, height=33)
    view = render(opened(cut), camera)
    assert (
        np.isfinite(view.colour).all()
        and 0.2 < view.opacity.mean() / render(opened(field), camera).opacity.mean() < 0.8
    )


def test_too_many_harmonics_are_refused() -> None:
    field = ball()
    with pytest.raises(UnsuitableAsset, match="9 harmonics"):
        opened(replace(field, sh=np.zeros((*field.density.shape, 9, 3), np.float32)))


def test_what_is_open_shows_the_backdrop() -> None:
    colour = np.zeros((3, 1, 3), np.float32)
    colour[:, 0, 1] = 0.3  # half stopped, of colour 0.6
    view = View(colour, np.zeros((1, 3), np.float32), np.array([[0.0, 0.5, 1.0]], np.float32))
    assert view.over(None) is colour
    filled = view.over((1.0, 0.5, 0.25))
    np.testing.assert_allclose(filled[:, 0, 0], [1, 0.5, 0.25], rtol=1e-5)
    np.testing.assert_allclose(filled[:, 0, 1], 0.6, atol=0.04)
    np.testing.assert_allclose(filled[:, 0, 2], 0, atol=1e-6)


@pytest.mark.parametrize(("width", "height"), [(40, 30), (41, 31), (1, 1), (2, 1)])
def test_a_picture_is_the_same_in_whichever_order_its_pixels_are_traced(width: int, height: int) -> None:
    ready, camera = opened(ball()), looking_at((2, 3, 6), (1, 2, 3), fov_y_deg=40, width=width, height=height)
    whole, again = render(ready, camera), render(ready, camera, care=Care(apart=2, unlike=0.0))
    for name in ("colour", "depth", "opacity"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(again, name))


def test_only_pixels_among_others_that_look_alike_are_not_traced() -> None:
    ready, camera = opened(ball()), looking_at((2, 3, 6), (1, 2, 3), fov_y_deg=40, width=60, height=44)
    whole, quick = render(ready, camera), render(ready, camera, care=Care(apart=2, unlike=0.06))
    same = (whole.colour == quick.colour).all(0) & (whole.opacity == quick.opacity)
    assert same[::2, ::2].all()
    means = ~same
    assert means.mean() > 0.2  # so that it is worth it
    assert np.abs(whole.colour - quick.colour).max() < 0.06 and np.abs(whole.opacity - quick.opacity).max() < 0.06
    edge = (whole.opacity > 0.2) & (whole.opacity < 0.8)
    assert edge.any() and same[edge].all()


def test_rays_may_end_before_they_are_opaque() -> None:
    ready, camera = opened(ball()), looking_at((1, 2, 8), (1, 2, 3), fov_y_deg=30, width=32, height=32)
    whole, early = render(ready, camera), render(ready, camera, care=Care(least=0.1))
    lost = whole.opacity - early.opacity
    assert 0 < lost.max() <= 0.1 and lost.min() == 0
