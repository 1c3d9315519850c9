"""Splat clouds placed in real Blender: every value kept, the right way round, and shaded as Gaussians."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engines.assets import Splats
from engines.asymmetric import NAME, asymmetric_splats
from engines.colour import linear_from_srgb, srgb_from_linear
from engines.hosts import host
from engines.spherical_harmonics import DC
from engines.transforms import frame_of, move_splats
from tests.blender_addon.blenders import Blender
from tests.blender_addon.deliveries import delivered
from tests.blender_addon.looking import patch, picture


def first(splats: Splats, count: int) -> Splats:
    return Splats(
        positions=splats.positions[:count],
        rotations=splats.rotations[:count],
        scales=splats.scales[:count],
        opacities=splats.opacities[:count],
        sh=splats.sh[:count],
        name=NAME,
    )


def test_a_cloud_keeps_its_values_its_place_and_its_looks(blender: Blender, tmp_path: Path) -> None:
    whole = asymmetric_splats()
    early = delivered(first(whole, 500), tmp_path / "early")
    late = delivered(whole, tmp_path / "late")
    seen = blender.run("splat_cases:cloud", tmp_path, early=early, late=late)
    count = len(whole.positions)
    assert seen["placed"] == ["cursor", True]
    assert seen["again"] == [False, True, True]
    assert seen["count"] == seen["undone"] == 500
    assert seen["overlapping"] == []
    assert seen["grown"] == [True, True, 1, 1]
    assert seen["kept"] == [[0.25, 0, 0], "My splats", 1]
    assert seen["records"] == [True, True]
    assert seen["redone"] == count and seen["reloaded"] == [count, True]
    assert seen["stale"] == [False, count], "a version that comes late does not undo a later one"
    assert seen["deleted"] == [True, 1]
    assert seen["solid mode"] == [[0, ""], [500 * 20, "splat_colour"], [0, ""]], "only while it is asked for"
    for_solid_mode(tmp_path / "coloured.npz", move_splats(first(whole, 500), frame_of(host("blender"))))
    arrays = np.load(tmp_path / "cloud.npz")
    expected = move_splats(whole, frame_of(host("blender")))
    np.testing.assert_allclose(arrays["position"], expected.positions, atol=1e-6)
    np.testing.assert_allclose(arrays["splat_scale"], expected.scales, rtol=1e-5)
    np.testing.assert_allclose(arrays["splat_opacity"][:, 0], expected.opacities, atol=1e-5)
    same_turn = np.abs(np.einsum("nc,nc->n", arrays["splat_rotation"], expected.rotations))
    np.testing.assert_allclose(same_turn, 1, atol=1e-5)
    for band in range(16):
        np.testing.assert_allclose(arrays[f"sh_{band}"], expected.sh[:, band], atol=1e-6)
    colours = linear_from_srgb(np.clip(expected.sh[:, 0] * DC + 0.5, 0, 1))
    np.testing.assert_allclose(arrays["splat_colour"][:, :3], colours, atol=1e-5)
    front, solid, right = (picture(seen[name]) for name in ("front", "solid", "right"))
    # Moved 0.25 to the right: the picture spans x -0.6 … 0.8 of the letter, z -0.2 … 1.2.
    for shot in (front, solid):
        assert int(np.argmax(patch(shot, (0.4 + 0.6) / 1.4, (0.92 + 0.2) / 1.4))) == 0
        assert int(np.argmax(patch(shot, (0.06 + 0.6) / 1.4, (0.4 + 0.2) / 1.4))) == 1
        assert patch(shot, 0.9, 0.2).max() < 0.02
    assert int(np.argmax(patch(right, (-0.25 + 0.7) / 1.4, (0.06 + 0.2) / 1.4))) == 2
    assert patch(right, (0.25 + 0.7) / 1.4, (0.06 + 0.2) / 1.4).max() < 0.02
    stem = solid[52:68, 42:47].reshape(-1, 3).max(axis=0)  # whatever is no gap between the ellipsoids
    np.testing.assert_allclose(stem, srgb_from_linear(np.array([0.02, 0.6, 0.04])), atol=0.02)
    assert seen["transparent_bounces"] == [64, 16]


def for_solid_mode(path: Path, splats: Splats) -> None:
    """One mesh of ellipsoids around every splat, in its colour; the points themselves come first."""
    arrays = np.load(path)
    count = len(splats.positions)
    places, colours = (arrays[name][count:].reshape(count, 12, -1) for name in ("position", "splat_colour"))
    np.testing.assert_allclose(places.mean(axis=1), splats.positions, atol=1e-5)
    assert np.ptp(colours, axis=1).max() == 0
    expected = linear_from_srgb(np.clip(splats.sh[:, 0] * DC + 0.5, 0, 1))
    np.testing.assert_allclose(colours[:, 0, :3], expected, atol=1e-5)


def test_one_splat_is_a_gaussian(blender: Blender, tmp_path: Path) -> None:
    """A stretched, turned splat covers opacity · exp(-½ Mahalanobis²) of each pixel, out to the cut."""
    sigma, opacity, angle = np.array([0.28, 0.12, 0.2]), 0.9, 0.6
    half = angle / 2
    one = Splats(
        np.zeros((1, 3), np.float32),
        np.array([[np.cos(half), 0, 0, np.sin(half)]], np.float32),  # about +Z, which faces the viewer
        sigma[None].astype(np.float32),
        np.array([opacity], np.float32),
        np.full((1, 1, 3), (1.0 - 0.5) / DC, np.float32),
        name="one",
    )
    early = delivered(first(asymmetric_splats(), 50), tmp_path / "early", job_id="job-2")
    seen = blender.run("splat_cases:one_splat", tmp_path, one=delivered(one, tmp_path / "one"), early=early)
    shot = linear_from_srgb(picture(seen["picture"]))[..., 0]
    centre = ((np.arange(65) + 0.5) / 65 * 2 - 1).astype(np.float64)
    x, y = np.meshgrid(centre, -centre)
    along, across = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    squared = (along / sigma[0]) ** 2 + (across / sigma[1]) ** 2
    expected = opacity * np.exp(-squared / 2)
    inside = squared < 2.4**2
    assert np.abs(shot - expected)[inside].mean() < 0.02
    assert np.abs(shot - expected)[inside].max() < 0.15  # noise of 256 samples
    assert shot[squared > 3.3**2].max() < 0.01
    assert seen["replaced"] == [True, [1, 2, 3], ["NODES"], 50]
    assert seen["again"] is False
