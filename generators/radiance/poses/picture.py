"""What was found, as one small picture: the points in their colours and the cameras as pyramids, from above."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from generators.radiance.cameras import Camera, looking_at
from generators.radiance.colmap import Points

SIDE_PX = 384
BACKDROP, CAMERA_COLOUR, GROUND_COLOUR = (24, 26, 30), (250, 190, 80), (52, 56, 64)
PYRAMID = 0.12
"""Length of a drawn camera in distances from the middle."""
Matrix = NDArray[np.float64]


def drawn(poses: Matrix, points: Points, side_px: int = SIDE_PX) -> NDArray[np.uint8]:
    """uint8 [side, side, 3] of neutral `poses` [N, 4, 4] (world from camera, axes of OpenCV) and points."""
    picture = np.empty((side_px, side_px, 3), np.uint8)
    picture[:] = BACKDROP
    stands = poses[:, :3, 3]
    middle = np.median(points.positions.astype(np.float64), axis=0) if len(points.positions) else stands.mean(0)
    reach = float(np.percentile(np.linalg.norm(stands - middle, axis=1), 90))
    view = _overview(stands, middle, reach, side_px)
    _lines(picture, view, _grid(middle, reach), GROUND_COLOUR)
    _dots(picture, view, points)
    for pose in poses:
        _lines(picture, view, _pyramid(pose, PYRAMID * reach), CAMERA_COLOUR)
    return picture


def _overview(stands: Matrix, middle: Matrix, reach: float, side_px: int) -> Camera:
    """From behind the cameras and above, so that they do not hide what they look at."""
    behind = stands.mean(0) - middle
    behind[1] = 0
    length = float(np.linalg.norm(behind))
    behind = behind / length if length > 0.1 * reach else np.array([0.0, 0.0, 1.0])
    aside = np.array([behind[2], 0.0, -behind[0]])
    eye = middle + reach * (1.9 * behind + 1.1 * aside + np.array([0.0, 1.5, 0.0]))
    x, y, z = (float(value) for value in eye)
    s, t, u = (float(value) for value in middle + 0.3 * reach * behind)
    return looking_at((x, y, z), (s, t, u), fov_y_deg=50, width=side_px, height=side_px)


def _seen(view: Camera, positions: Matrix) -> tuple[Matrix, Matrix]:
    local = positions @ view.camera_from_world[:3, :3].T + view.camera_from_world[:3, 3]
    depth = local[:, 2]
    safe = np.maximum(depth, 1e-6)
    pixels = np.stack([local[:, 0] / safe * view.fx + view.cx, local[:, 1] / safe * view.fy + view.cy], -1)
    return pixels, depth


def _dots(picture: NDArray[np.uint8], view: Camera, points: Points) -> None:
    pixels, depth = _seen(view, points.positions.astype(np.float64))
    at = np.floor(pixels).astype(int)
    side = picture.shape[0]
    shown = np.nonzero((depth > 1e-6) & (at >= 0).all(1) & (at < side - 1).all(1))[0]
    shown = shown[np.argsort(-depth[shown], kind="stable")]  # the nearest are drawn last
    colours = (points.colours[shown] * 255).astype(np.uint8)
    for down in (0, 1):
        for across in (0, 1):
            picture[at[shown, 1] + down, at[shown, 0] + across] = colours


def _pyramid(pose: Matrix, length: float) -> Matrix:
    """Eight edges [8, 2, 3] from the camera's place to a picture's corners and around them."""
    corners = np.array([[-0.6, -0.45, 1], [0.6, -0.45, 1], [0.6, 0.45, 1], [-0.6, 0.45, 1]]) * length
    world = corners @ pose[:3, :3].T + pose[:3, 3]
    return np.stack([[pose[:3, 3], one] for one in world] + [[world[n], world[n - 3]] for n in range(4)])


def _grid(middle: Matrix, reach: float) -> Matrix:
    """Lines [L, 2, 3] on the ground at y = 0."""
    steps = np.linspace(-1.5, 1.5, 7) * reach
    ends = [[(step, -1.5 * reach), (step, 1.5 * reach)] for step in steps]
    both = [[(a[0], a[1]), (b[0], b[1])] for a, b in ends] + [[(a[1], a[0]), (b[1], b[0])] for a, b in ends]
    return np.array([[[x + middle[0], 0.0, z + middle[2]] for x, z in line] for line in both])


def _lines(picture: NDArray[np.uint8], view: Camera, edges: Matrix, colour: tuple[int, int, int]) -> None:
    side = picture.shape[0]
    share = np.linspace(0, 1, 2 * side)[:, None]
    for start, end in edges:
        pixels, depth = _seen(view, start + share * (end - start))
        at = np.floor(pixels).astype(int)
        shown = (depth > 1e-6) & (at >= 0).all(1) & (at < side).all(1)
        picture[at[shown, 1], at[shown, 0]] = colour
