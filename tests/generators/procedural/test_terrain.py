from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from engines.assets import Array, Mesh
from engines.kinds import MapName
from generators.events import Preview, Produced, Request
from generators.procedural import erosion
from generators.procedural.small_specs import TerrainForm, TerrainParams
from generators.procedural.terrain import run


class Quiet:
    device = "cpu"
    scratch = Path()
    wants_previews = False

    def check(self) -> None:
        pass


def made(seed: int = 1, **params: Any) -> Mesh:
    events = list(run(Request(TerrainParams(texture_px=256, **params), seed), Quiet()))
    mesh = next(event.asset for event in events if isinstance(event, Produced))
    assert isinstance(mesh, Mesh)
    return mesh


@pytest.mark.parametrize("form", get_args(TerrainForm))
def test_every_form_has_its_measures_faces_up_and_a_baked_material(form: str) -> None:
    mesh = made(form=form, grid=96, size_m=1000.0, height_m=220.0)
    assert mesh.positions.shape == (96**2, 3)
    assert mesh.faces.shape == (2 * 95**2, 3)
    low, high = mesh.positions.min(0), mesh.positions.max(0)
    np.testing.assert_allclose(low, (-500, 0, -500), atol=1e-3)
    np.testing.assert_allclose(high, (500, 220, 500), atol=1e-3)
    a, b, c = (mesh.positions[mesh.faces[:, k].astype(np.intp)] for k in range(3))
    assert (np.cross(b - a, c - a)[:, 1] > 0).all()
    assert mesh.normals is not None
    assert (mesh.normals[:, 1] > 0).all()
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-5)
    assert mesh.material is not None
    assert not mesh.material.tileable
    colour = mesh.material.maps[MapName.BASE_COLOR].pixels
    assert colour.shape == (256, 256, 3)
    assert colour.std() > 3


def slopes(mesh: Mesh, grid: int) -> Array:
    """Height over distance along the rows, inside the border."""
    height: Array = mesh.positions[:, 1].reshape(grid, grid)
    step = float(np.ptp(mesh.positions[:, 0])) / (grid - 1)
    along: Array = np.abs(np.diff(height, axis=1))[4:-4, 4:-4] / step
    return along


@pytest.mark.parametrize("size_m", [500.0, 4000.0])
def test_every_form_has_a_height_of_its_own_that_goes_with_its_size(size_m: float) -> None:
    heights = {
        form: float(made(form=form, grid=64, size_m=size_m).positions[:, 1].max()) for form in get_args(TerrainForm)
    }
    assert heights["dunes"] < heights["hills"] < heights["canyons"] < heights["mountains"]
    assert heights["mountains"] == pytest.approx(size_m / 4, rel=1e-4)


def test_hills_are_gentler_and_greener_than_mountains() -> None:
    hills, mountains = made(form="hills", grid=96), made(form="mountains", grid=96)
    assert np.quantile(slopes(hills, 96), 0.9) < 0.5 < np.quantile(slopes(mountains, 96), 0.9)

    def green(mesh: Mesh) -> float:
        assert mesh.material is not None
        colour = mesh.material.maps[MapName.BASE_COLOR].pixels.astype(int)
        return float((colour[..., 1] > colour[..., 0]).mean())

    assert green(hills) > 0.8 > green(mountains)


@pytest.mark.parametrize("seed", [1, 2])
def test_dunes_stand_no_steeper_than_dry_sand_does(seed: int) -> None:
    dunes = slopes(made(seed, form="dunes", grid=128), 128)
    assert np.quantile(dunes, 0.995) < np.tan(np.radians(40))


def test_picture_and_mesh_lie_the_same_way_round() -> None:
    mesh = made(form="island", grid=64)
    assert mesh.uvs is not None
    assert mesh.material is not None
    # The far left corner (-x, -z) is at u = 0, v = 1: the picture's top left pixel.
    corner = int(np.argmin(mesh.positions[:, 0] + mesh.positions[:, 2]))
    np.testing.assert_allclose(mesh.uvs[corner], (0, 1))
    colour = mesh.material.maps[MapName.BASE_COLOR].pixels.astype(int)
    pixel = np.clip((mesh.uvs * (256, -256) + (0, 256)).astype(int), 0, 255)
    blue = (colour[..., 2] > colour[..., 0])[pixel[:, 1], pixel[:, 0]]
    sea = mesh.positions[:, 1] <= 0
    assert blue[sea].mean() > 0.95
    assert blue[mesh.positions[:, 1] > 20].mean() < 0.35


def test_gathered_equals_walking_down_from_the_highest() -> None:
    rng = np.random.default_rng(0)
    for slope in (0.0, 0.3, 3.0):
        height = rng.random((33, 33)) + slope * np.arange(33)[:, None]
        target, _ = erosion.receivers(height)
        amount = rng.random(33 * 33)
        want = amount.copy()
        for cell in np.argsort(-height.ravel(), kind="stable"):
            if target[cell] != cell:
                want[target[cell]] += want[cell]
        np.testing.assert_allclose(erosion.gathered(target, amount)[0], want, rtol=1e-9)


def test_receivers_are_the_steepest_lower_neighbours() -> None:
    height = np.random.default_rng(1).random((12, 12))
    target, slope = erosion.receivers(height)
    for row in range(1, 11):
        for column in range(1, 11):
            falls = {
                (row + dy) * 12 + column + dx: (height[row, column] - height[row + dy, column + dx]) / np.hypot(dy, dx)
                for dy in (-1, 0, 1)
                for dx in (-1, 0, 1)
                if dy or dx
            }
            best = max(falls, key=lambda cell: falls[cell])
            cell = row * 12 + column
            assert target[cell] == (best if falls[best] > 0 else cell)
            assert slope[cell] == pytest.approx(max(falls[best], 0))


def test_drained_land_has_no_pit_and_is_nowhere_lower() -> None:
    height = np.random.default_rng(2).random((30, 30)) * 5
    filled = erosion.drained(height)
    assert (filled >= height).all()
    target, _ = erosion.receivers(filled)
    inner = np.arange(900).reshape(30, 30)[1:-1, 1:-1].ravel()
    assert (target[inner] != inner).all()


def test_slides_conserve_matter_and_end_at_the_talus() -> None:
    height = np.zeros((41, 41))
    height[18:23, 18:23] = 12.0
    slid = erosion.slide(height, 0.8, 600)
    assert slid.sum() == pytest.approx(height.sum())
    assert max(np.abs(np.diff(slid, axis=0)).max(), np.abs(np.diff(slid, axis=1)).max()) < 0.88


def test_rivers_lower_the_land_only_down_to_their_receivers() -> None:
    rng = np.random.default_rng(3)
    height = erosion.drained(rng.random((40, 40)) * 4 + 10 * np.hypot(*np.mgrid[-1:1:40j, -1:1:40j])[::-1])
    rivers = erosion.Rivers(cutting=0.5, settling=0.0, uplift=0.0)
    after = erosion.flow_step(height, rivers, np.ones((40, 40)), np.zeros((40, 40)), rng)
    assert (after <= height + 1e-2).all()
    assert after.sum() < height.sum()
    assert after.min() >= height.min() - 1e-9


def test_enlarged_keeps_planes_and_corners() -> None:
    plane = np.add.outer(np.arange(9.0), 2 * np.arange(9.0))
    grown = erosion.enlarged(plane, 33)
    np.testing.assert_allclose(grown[4:-4, 4:-4], np.add.outer(np.arange(33) / 4, np.arange(33) / 2)[4:-4, 4:-4])
    assert grown[0, 0] == pytest.approx(0)
    assert grown[-1, -1] == pytest.approx(24)


def test_rivers_reach_the_border_once_the_land_is_eroded() -> None:
    """Raw noise holds its water in hollows; rivers cut their way out."""

    def drained_share(mesh: Mesh) -> float:
        height: Array = mesh.positions[:, 1].reshape(96, 96).astype(np.float64)
        target, _ = erosion.receivers(height)
        reached = erosion.gathered(target, np.ones(96 * 96))[0].reshape(96, 96)
        roots = (target == np.arange(96 * 96)).reshape(96, 96)
        roots[1:-1, 1:-1] = False
        return float(reached[roots].sum() / reached.size)

    for seed in (2, 3):
        eroded, raw = (drained_share(made(seed, grid=96, erosion=share)) for share in (0.8, 0.0))
        assert eroded > 0.85
        assert eroded > raw + 0.1


def test_seed_decides_everything_and_previews_show_the_land() -> None:
    np.testing.assert_array_equal(made(5, grid=64).positions, made(5, grid=64).positions)
    assert not np.array_equal(made(5, grid=64).positions, made(6, grid=64).positions)
    context = Quiet()
    context.wants_previews = True
    events = list(run(Request(TerrainParams(grid=64, texture_px=256), 1), context))
    assert all(event.pixels.shape == (256, 256, 3) for event in events if isinstance(event, Preview))
    assert any(isinstance(event, Preview) for event in events)
