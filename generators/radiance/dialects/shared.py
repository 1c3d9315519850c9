"""What every dialect of a posed capture comes down to, and how numbers and files in it are taken."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generators.radiance.archive import CaptureError, Source
from generators.radiance.colmap import Points
from generators.radiance.transforms_json import Listed

Matrix = NDArray[np.float64]
NEUTRAL_FROM_Z_UP: Matrix = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]], np.float64)
OPENGL_FROM_OPENCV: Matrix = np.diag([1.0, -1.0, -1.0, 1.0])
"""Turns the camera axes of a world-from-camera matrix; it is its own inverse."""
PICTURES = (".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG", ".webp")


@dataclass(frozen=True, eq=False)
class Dialect:
    """A listing that was read: `frames` in its own world, their files relative to `root` or named by their ends.

    `neutral_from_source` float64 [4, 4] carries that world to neutral axes, None where up has to be guessed.
    `unposed` names photographs that the listing has without a pose, with the reason.
    """

    kind: str
    frames: tuple[Listed, ...]
    root: PurePosixPath
    neutral_from_source: Matrix | None
    unit_m: float | None = None
    points: Points | None = None
    source_from_original: Matrix | None = None
    unposed: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def json_in(source: Source, name: str) -> dict[str, Any]:
    """A JSON object that a capture holds. Raises `CaptureError` when it is none."""
    try:
        value = json.loads(source.read(name))
    except (ValueError, RecursionError) as error:
        raise CaptureError(f"{name} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise CaptureError(f"{name}: expected a JSON object, got {type(value).__name__}")
    return value


def floats(values: Any, count: int, where: str) -> Matrix:
    """`count` finite numbers float64 [count]. Raises `CaptureError` that names where they were expected."""
    try:
        array = np.array(values, np.float64).ravel()
    except (TypeError, ValueError) as error:
        raise CaptureError(f"{where}: expected {count} numbers ({error})") from error
    if array.shape != (count,) or not np.isfinite(array).all():
        raise CaptureError(f"{where}: expected {count} finite numbers, got {array.size}")
    return array


def rotated(quaternion_xyzw: Matrix, where: str) -> Matrix:
    """The rotation [3, 3] of a quaternion whose real part comes last."""
    from generators.radiance.colmap import rotation_matrix

    return rotation_matrix(np.roll(quaternion_xyzw, 1), where)


def picture_of(stem: str, names: Iterable[str]) -> str | None:
    """The picture with that path but for its extension."""
    return next((stem + extension for extension in PICTURES if stem + extension in names), None)
