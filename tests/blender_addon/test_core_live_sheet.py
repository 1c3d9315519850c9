"""The surface on which a live picture hangs: before all that was seen, where it was seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from blender_addon.core.live_pixels import live_floats
from blender_addon.core.live_sheet import CELL_PX, sheet
from python_client.live import LivePicture

NEAR, FAR, FOCAL = 0.1, 100.0, 1.5


def perspective() -> NDArray[np.float64]:
    return np.array(
        [[FOCAL, 0, 0, 0], [0, FOCAL, 0, 0],
         [0, 0, -(FAR + NEAR) / (FAR - NEAR), -2 * FAR * NEAR / (FAR - NEAR)], [0, 0, -1, 0]]
    )  # fmt: skip


def flat() -> NDArray[np.float64]:
    return np.array([[0.5, 0, 0, 0], [0, 0.5, 0, 0], [0, 0, -1 / 50, 0], [0, 0, 0, 1.0]])


def pose() -> NDArray[np.float64]:
    turn = np.array([[0, 0, 1.0], [1, 0, 0], [0, 1, 0]])
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3], world_from_camera[:3, 3] = turn, (3, -2, 1)
    return world_from_camera


def window_depths(clip: NDArray[np.float64], points: NDArray[Any]) -> NDArray[np.float64]:
    seen = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ (clip @ np.linalg.inv(pose())).T
    result: NDArray[np.float64] = seen[:, :3] / seen[:, 3:] / 2 + 0.5
    return result


def scene(clip: NDArray[np.float64], height: int, width: int) -> NDArray[np.float32]:
    """A floor, and a post before it; nothing above."""
    depth = np.ones((height, width), np.float32)
    metres = np.linspace(3, 30, height // 2)[:, None]
    there = clip @ np.stack([np.zeros(len(metres)), np.zeros(len(metres)), -metres[:, 0], np.ones(len(metres))])
    depth[: height // 2] = (there[2] / there[3] / 2 + 0.5)[:, None]
    post = clip @ (0, 0, -2.0, 1)
    depth[5 : height - 6, width // 3 : width // 3 + 3] = post[2] / post[3] / 2 + 0.5
    return depth


@pytest.mark.parametrize("clip", [perspective(), flat()], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("size", [(24, 32), (21, 31), (16, 16)])
def test_it_is_before_everything_that_was_seen_and_not_far_before(clip: NDArray[Any], size: tuple[int, int]) -> None:
    depth = scene(clip, *size)
    found = sheet(depth, pose(), clip)
    placed = window_depths(clip, found.points)
    np.testing.assert_allclose(placed[:, :2], found.uvs, atol=1e-5)
    corners = placed[found.triangles]
    for row in range(size[0]):
        for column in range(size[1]):
            x, y = (column + 0.5) / size[1], (row + 0.5) / size[0]
            assert surface_at(corners, x, y) < depth[row, column], (row, column)
    plain = sheet(np.full(size, depth[0, 0], np.float32), pose(), clip)
    away = -((np.linalg.inv(pose()) @ np.append(plain.points[0], 1))[2])
    seen = np.linalg.inv(clip) @ (0, 0, depth[0, 0] * 2 - 1, 1)
    assert 0 < -seen[2] / seen[3] - away < 0.05, "a few centimetres at three metres"


def surface_at(corners: NDArray[Any], x: float, y: float) -> float:
    """Window depth of the one triangle at that place of the picture; it is linear there."""
    a, b, c = (corners[:, corner] for corner in range(3))
    whole = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
    of_b = ((x - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (y - a[:, 1])) / whole
    of_c = ((b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (x - a[:, 0]) * (b[:, 1] - a[:, 1])) / whole
    (inside,) = np.nonzero((of_b >= -1e-6) & (of_c >= -1e-6) & (of_b + of_c <= 1 + 1e-6))
    depths = a[:, 2] + of_b * (b[:, 2] - a[:, 2]) + of_c * (c[:, 2] - a[:, 2])
    return float(depths[inside].max())


def test_it_covers_the_picture_once() -> None:
    found = sheet(np.ones((30, 50), np.float32), pose(), perspective())
    a, b, c = (found.uvs[found.triangles[:, corner]].astype(np.float64) for corner in range(3))
    areas = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
    assert areas.min() > 0 and areas.sum() / 2 == pytest.approx(1)
    assert len(found.points) == (30 // CELL_PX + 2) * (50 // CELL_PX + 2)


def test_emptiness_is_far_away_but_not_cut_off() -> None:
    found = sheet(np.ones((8, 8), np.float32), pose(), perspective())
    metres = np.linalg.norm(found.points - pose()[:3, 3], axis=1)
    assert metres.min() > 0.4 * FAR and metres.max() < FAR


def test_the_background_is_covered_by_its_share_alone() -> None:
    picture = LivePicture(1, 4, 2, "image/raw", 4, bytes([200, 100, 50, 255] * 8), False, 1.0, 1.0)
    depth = np.array([[1, 0.5]], np.float32)
    alphas = live_floats(picture, depth, 0.25).reshape(2, 4, 4)[..., 3]
    np.testing.assert_allclose(alphas, [[0.25, 0.25, 1, 1]] * 2)
    whole, plain = live_floats(picture, depth, 1.0), live_floats(picture)
    np.testing.assert_array_equal(whole, plain)
    np.testing.assert_array_equal(live_floats(picture, depth, 0.25).reshape(8, 4)[:, :3], plain.reshape(8, 4)[:, :3])
