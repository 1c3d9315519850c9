"""A small room, ray-traced: floor, wall, box and ball, with the depth and normals that a viewport would send."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from generators.live.frames import Camera


def camera(
    width: int = 96, height: int = 72, eye: tuple[float, float, float] = (3.2, 2.2, 4.2), *, ortho: bool = False
) -> Camera:
    """One that looks at the middle of the room."""
    place = np.array(eye)
    ahead = np.array([0.0, 0.6, 0.0]) - place
    ahead /= np.linalg.norm(ahead)
    right = np.cross(ahead, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1], matrix[:3, 2], matrix[:3, 3] = right, np.cross(right, ahead), -ahead, place
    focal = height / 5 if ortho else height
    return Camera(matrix, width, height, focal, focal, width / 2, height / 2, 0.1, 100.0, ortho)


def rays(view: Camera) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Origin and direction [H, W, 3] of every pixel; a direction goes one metre along the line of sight."""
    y, x = np.mgrid[0 : view.height_px, 0 : view.width_px]
    across = (x + 0.5 - view.centre_x_px) / view.focal_x_px
    up = (view.centre_y_px - y - 0.5) / view.focal_y_px
    turn, place = view.world_from_camera[:3, :3], view.world_from_camera[:3, 3]
    if view.orthographic:
        origins = place + across[..., None] * turn[:, 0] + up[..., None] * turn[:, 1]
        return origins, np.broadcast_to(-turn[:, 2], origins.shape)
    directions = across[..., None] * turn[:, 0] + up[..., None] * turn[:, 1] - turn[:, 2]
    return np.broadcast_to(place, directions.shape), directions


def room(view: Camera) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Depth [H, W] in metres along the line of sight, infinite beside the room, and world normals [H, W, 3]."""
    origin, ray = rays(view)
    depth = np.full(ray.shape[:2], np.inf)
    normal = np.zeros(ray.shape)

    def take(t: NDArray[np.float64], n: NDArray[np.float64], hit: NDArray[np.bool_]) -> None:
        nearer = hit & (t > 1e-3) & (t < depth)
        depth[nearer] = t[nearer]
        normal[nearer] = np.broadcast_to(n, normal.shape)[nearer]

    with np.errstate(divide="ignore", invalid="ignore"):
        t = -origin[..., 1] / ray[..., 1]
        point = origin + ray * t[..., None]
        take(t, np.array([0.0, 1, 0]), (abs(point[..., 0]) < 6) & (abs(point[..., 2]) < 6))
        t = (-2.5 - origin[..., 2]) / ray[..., 2]
        point = origin + ray * t[..., None]
        take(t, np.array([0.0, 0, 1]), (point[..., 1] > 0) & (point[..., 1] < 2.4) & (abs(point[..., 0]) < 4))
        low, high = np.array([-1.6, 0, -0.9]), np.array([-0.4, 1.1, 0.3])
        first, last = (
            np.minimum(*((c - origin) / ray for c in (low, high))),
            np.maximum(*((c - origin) / ray for c in (low, high))),
        )
        axis = first.argmax(-1)[..., None]
        side = np.zeros(ray.shape)
        np.put_along_axis(side, axis, -np.sign(np.take_along_axis(ray, axis, -1)), -1)
        take(first.max(-1), side, first.max(-1) < last.min(-1))
        middle, radius = np.array([0.35, 0.6, 0.6]), 0.6
        out = origin - middle
        a, b, c = (ray * ray).sum(-1), (ray * out).sum(-1), (out * out).sum(-1) - radius * radius
        root = b * b - a * c
        t = (-b - np.sqrt(np.maximum(root, 0))) / a
        take(t, (out + ray * t[..., None]) / radius, root > 0)
    return depth.astype(np.float32), normal.astype(np.float32)
