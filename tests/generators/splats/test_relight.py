from __future__ import annotations

import re

import numpy as np
import pytest

from engines.assets import Splats
from engines.colour import linear_from_srgb
from engines.splat_values import colour_from_dc
from generators.procedural.surface_sampling import frames_along
from generators.splats.clouds import extent, joined
from generators.splats.neighbours import Neighbours
from generators.splats.params import RelightParams
from generators.splats.relight import behind, lamp_direction
from generators.splats.surfaces import ALIKE, Surface, evened_normals, lit_shares, raw_normals, surface_of
from generators.splats.visibility import around
from tests.generators.splats.clouds_at_hand import edited, sheet


def ball(count: int = 5000, *, flat: float = 0.15) -> Splats:
    """An even, grey ball of radius 1 whose splats lie along its surface; the quaternions' signs are mixed."""
    at = np.arange(count) + 0.5
    y, angle = 1 - 2 * at / count, at * 2.399963
    ring = np.sqrt(1 - y * y)
    normals = np.stack([ring * np.cos(angle), y, ring * np.sin(angle)], -1).astype(np.float32)
    spacing = np.float32(np.sqrt(4 * np.pi / count))
    flips = np.where(np.arange(count)[:, None] % 2, np.float32(-1), np.float32(1))
    scales = np.tile(np.array([0.7, 0.7, 0.7 * flat], np.float32) * spacing, (count, 1))
    return Splats(
        normals, frames_along(normals * flips), scales, np.full(count, 0.9, np.float32),
        np.zeros((count, 1, 3), np.float32), "ball",
    )  # fmt: skip


def brightness(cloud: Splats) -> np.ndarray:
    return np.asarray(linear_from_srgb(colour_from_dc(cloud.sh[:, 0])).mean(1))


@pytest.mark.parametrize("flat", [0.15, 1.0])
def test_normals_point_out_of_a_ball_whatever_the_shape_of_its_splats(flat: float) -> None:
    cloud = ball(flat=flat)
    surface = surface_of(cloud, around(cloud), lambda: None)
    cosine = (surface.normals * cloud.positions).sum(1)
    assert np.quantile(cosine, 0.01) > 0.95
    assert surface.sided.min() > 0.9, "only one side of a ball can be seen"
    np.testing.assert_allclose(np.linalg.norm(surface.normals, axis=1), 1, atol=1e-5)


def test_flat_splats_have_their_own_normal_and_round_ones_that_of_their_neighbours() -> None:
    for cloud in (ball(2000), ball(2000, flat=1.0)):
        near = Neighbours(cloud.positions).nearest(12)[1]
        assert np.quantile(np.abs((raw_normals(cloud, near, lambda: None) * cloud.positions).sum(1)), 0.02) > 0.9


@pytest.mark.parametrize(("azimuth", "elevation"), [(0, 0), (90, 0), (45, 60), (-120, -30)])
def test_the_side_that_faces_the_lamp_is_bright_by_lamberts_law(azimuth: float, elevation: float) -> None:
    params = RelightParams(azimuth_deg=azimuth, elevation_deg=elevation, ambient=0.2, light=1.0, shadows=0, wrap=0)
    cloud = ball()
    done = edited("relight", params, cloud=cloud)
    cosine = cloud.positions @ lamp_direction(azimuth, elevation)
    want = (0.2 + np.maximum(cosine, 0)) * linear_from_srgb(np.array([0.5]))[0]
    np.testing.assert_allclose(brightness(done.cloud), want, atol=0.03)
    assert "captured stay in them" in done.notes[0]


def test_directions_are_as_the_panel_says() -> None:
    np.testing.assert_allclose(lamp_direction(0, 0), [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(lamp_direction(90, 0), [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(lamp_direction(33, 90), [0, 1, 0], atol=1e-12)


def test_a_ball_throws_its_shadow_on_the_floor_and_none_on_itself() -> None:
    floor = sheet(8000, side_m=6)
    lifted = ball(3000)
    lifted = Splats(
        lifted.positions * np.float32(0.6) + np.array([0, 1.5, 0], np.float32),
        lifted.rotations, lifted.scales * np.float32(0.6), lifted.opacities, lifted.sh,
    )  # fmt: skip
    scene = joined([floor, lifted])
    towards = lamp_direction(90, 45)  # the shadow falls to the left, as far as the ball is high
    lit = lit_shares(scene, extent(scene), towards, 0.1, lambda: None)
    below = np.linalg.norm(floor.positions - np.array([-1.5, 0, 0]), axis=1) < 0.35
    away = np.linalg.norm(floor.positions - np.array([-1.5, 0, 0]), axis=1) > 1.3
    assert lit[:8000][below].mean() < 0.15
    assert lit[:8000][away].mean() > 0.97
    facing = (lifted.positions - np.array([0, 1.5, 0])) @ towards > 0.15
    assert lit[8000:][facing].mean() > 0.93


def test_colour_and_harmonics_are_scaled_together() -> None:
    cloud = ball(1500)
    sh = np.zeros((1500, 4, 3), np.float32)
    sh[:, 1:] = 0.1
    cloud = Splats(cloud.positions, cloud.rotations, cloud.scales, cloud.opacities, sh)
    params = RelightParams(colour="#ff0000", light=1.0, ambient=0.0, shadows=0, azimuth_deg=0, elevation_deg=0, wrap=0)
    done = edited("relight", params, cloud=cloud).cloud
    front = cloud.positions[:, 2] > 0.9
    assert brightness(done)[cloud.positions[:, 2] < -0.2].max() < 3e-3
    colours = colour_from_dc(done.sh[front, 0])
    assert colours[:, 0].min() > 0.4 and np.abs(colours[:, 1:]).max() < 1e-3
    assert np.abs(done.sh[front, 1:, 1:]).max() < 1e-3 and done.sh[front, 1:, 0].min() > 0.07


def test_a_tiny_cloud_can_be_lit_too() -> None:
    for count in (1, 2, 3):
        part = ball(3000)
        few = Splats(*(getattr(part, name)[:count] for name in ("positions", "rotations", "scales", "opacities", "sh")))
        done = edited("relight", RelightParams(), previews=True, cloud=few)
        assert np.isfinite(done.cloud.sh).all() and len(done.previews) == 1


def test_normals_are_evened_out_as_the_slow_way_does() -> None:
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(50, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    opacities, near = rng.random(50).astype(np.float32), rng.integers(0, 50, (50, 6)).astype(np.int32)
    got = evened_normals(normals, opacities, near, lambda: None)
    for i in range(50):
        total = (1 - ALIKE) * opacities[i] * normals[i].astype(np.float64)
        for j in near[i]:
            total += max(float(normals[i] @ normals[j]) - ALIKE, 0) * opacities[j] * normals[j]
        np.testing.assert_allclose(got[i], total / np.linalg.norm(total), atol=1e-4)


def test_a_lamp_behind_what_was_captured_is_told_with_where_to_put_it() -> None:
    whole = ball(4000)
    front = whole.positions[:, 2] > 0.3
    names = ("positions", "rotations", "scales", "opacities", "sh")
    cap = Splats(*(getattr(whole, name)[front] for name in names))

    surface = Surface(
        cap.positions, np.ones(len(cap.positions), np.float32), np.zeros((len(cap.positions), 1), np.int32)
    )
    words = re.search(r"azimuth (-?\d+)°, elevation (-?\d+)°", behind(cap, surface, lamp_direction(180, 0)))
    assert words is not None and max(abs(int(word)) for word in words.groups()) <= 1
    assert behind(cap, surface, lamp_direction(0, 0)) == behind(cap, surface, lamp_direction(60, 30)) == ""
    for azimuth in (0, 90, 180):
        done = edited("relight", RelightParams(azimuth_deg=azimuth, shadows=0), cloud=whole)
        assert len(done.notes) == 1, "a closed thing is lit from anywhere"
