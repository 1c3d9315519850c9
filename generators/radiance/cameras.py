"""A pinhole camera in neutral world axes, looking along its own +Z with +X right and +Y down (as OpenCV)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Camera:
    """One view: `camera_from_world` float64 [4, 4] rigid; focal lengths and principal point in pixels.

    Pixel centres lie at half-integers: the picture spans 0 … width and 0 … height.
    """

    camera_from_world: NDArray[np.float64]
    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    def resized(self, width: int, height: int) -> Camera:
        """The same view with another number of pixels."""
        across, down = width / self.width, height / self.height
        return replace(
            self,
            fx=self.fx * across,
            cx=self.cx * across,
            fy=self.fy * down,
            cy=self.cy * down,
            width=width,
            height=height,
        )

    @property
    def position(self) -> NDArray[np.float64]:
        """Where the camera stands, float64 [3]."""
        rotation, shift = self.camera_from_world[:3, :3], self.camera_from_world[:3, 3]
        position: NDArray[np.float64] = -rotation.T @ shift
        return position

    @property
    def forward(self) -> NDArray[np.float64]:
        """Unit direction in which it looks, float64 [3]."""
        forward: NDArray[np.float64] = self.camera_from_world[2, :3]
        return forward


def looking_at(
    eye: tuple[float, float, float],
    target: tuple[float, float, float],
    *,
    fov_y_deg: float,
    width: int,
    height: int,
) -> Camera:
    """A camera at `eye` that sees `target` in its middle, upright in +Y-up axes."""
    position = np.array(eye, np.float64)
    forward = np.array(target, np.float64) - position
    forward /= np.linalg.norm(forward)
    up = np.array([0.0, 1.0, 0.0]) if abs(forward[1]) < 0.999 else np.array([0.0, 0.0, 1.0])
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = -rotation @ position
    focal = height / (2.0 * np.tan(np.radians(fov_y_deg) / 2.0))
    return Camera(matrix, float(focal), float(focal), width / 2, height / 2, width, height)
