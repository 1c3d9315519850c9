# SPDX-License-Identifier: GPL-3.0-or-later
"""Where cameras stand to see a thing from all around, and the file that says so; numpy alone.

Directions are a Fibonacci lattice on a band of the sphere, so that any number of them is spread evenly.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOV_DEG = 40.0
LOWEST_DEG, HIGHEST_DEG = -20.0, 75.0
"""Elevations: mostly from eye height and above, a little from below."""
ROOM = 1.08
"""The thing's sphere fills this much less than the picture."""
_GOLDEN = math.pi * (3 - math.sqrt(5))
FloatArray = NDArray[np.float64]


def viewpoints(count: int, centre: Sequence[float], radius_m: float) -> list[FloatArray]:
    """`count` camera poses, float64 [4, 4] world-from-camera, that see the whole sphere.

    The world's Z is up; a camera looks along its -Z with +Y up (Blender's and OpenGL's own).
    """
    low, high = math.sin(math.radians(LOWEST_DEG)), math.sin(math.radians(HIGHEST_DEG))
    distance = radius_m * ROOM / math.sin(math.radians(FOV_DEG) / 2)
    poses = []
    for number in range(count):
        height = low + (high - low) * (number + 0.5) / count
        across, angle = math.sqrt(1 - height * height), number * _GOLDEN
        backwards = np.array([across * math.cos(angle), across * math.sin(angle), height])
        poses.append(_looking(np.asarray(centre, np.float64) + distance * backwards, backwards))
    return poses


def transforms_json(poses: Sequence[FloatArray], names: Sequence[str], size_px: int) -> str:
    """The `transforms.json` of instant-ngp (Müller et al. 2022) for square pictures of that size."""
    focal_px = size_px / (2 * math.tan(math.radians(FOV_DEG) / 2))
    tree: dict[str, Any] = {
        "camera_model": "PINHOLE",
        "w": size_px,
        "h": size_px,
        "fl_x": focal_px,
        "fl_y": focal_px,
        "cx": size_px / 2,
        "cy": size_px / 2,
        "unit_m": 1.0,
        "frames": [
            {"file_path": name, "transform_matrix": pose.tolist()} for name, pose in zip(names, poses, strict=True)
        ],
    }
    return json.dumps(tree, indent=1)


def _looking(position: FloatArray, backwards: FloatArray) -> FloatArray:
    right = np.array([-backwards[1], backwards[0], 0.0])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = right, np.cross(backwards, right), backwards, position
    return pose
