"""Which way is up, where the ground lies, and how long a metre is: what photographs alone leave open.

Poses found from pictures are known up to a similarity. It is fixed by how people hold cameras (the picture's horizontal
is level), by the largest flat thing below the cameras, and by whatever length is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
PLANE_TILT_DEG = 25.0
"""A ground found among the points may lean so far against the level of the cameras to be considered."""
LEVEL_TILT_DEG = 10.0
"""And so little to be taken as the truer level: hands are not steadier than a floor."""
PLANE_SHARE = 0.12
PLANE_THICKNESS = 0.012
"""Half the thickness of a plane, in distances from the cameras to what they look at."""
TRIALS, LEVEL_TRIALS = 20_000, 400
PLACES_MIN, PLACES_SPREAD_M = 4, 20.0
"""Satellite positions are some 5 m off; they tell a scale when there are a few and they lie well apart."""


@dataclass(frozen=True, eq=False)
class Gauge:
    """`neutral_from_found` float64 [4, 4], a similarity to neutral axes; `metric` when a length was known."""

    neutral_from_found: Matrix
    metric: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class KnownLength:
    """What the artist measured, in metres; 0 for unknown."""

    camera_height_m: float = 0.0
    first_to_last_m: float = 0.0


def fixed(
    poses: Matrix,
    points: NDArray[np.float32],
    *,
    known: KnownLength,
    places_m: Sequence[tuple[float, float, float] | None] = (),
    seed: int = 0,
) -> Gauge:
    """The similarity for `poses` float64 [N, 4, 4] (world from camera, axes of OpenCV) and `points` [P, 3].

    `places_m` are satellite positions of the same views in metres, None where there is none.
    """
    positions = poses[:, :3, 3]
    up = level(poses)
    middle = looked_at(poses)
    reach = float(np.median(np.linalg.norm(positions - middle, axis=1)))
    near = points[np.linalg.norm(points - middle, axis=1) < 6 * reach].astype(np.float64)
    up, height, notes = _ground(near, positions, up, reach, seed)
    ahead = _level_part(poses[:, :3, 2].mean(0), up)
    rotation = np.stack([np.cross(ahead, up), up, -ahead])
    origin = middle - up * (middle @ up - height)
    scale, metric, how = _scale(positions, up, height, reach, known, places_m)
    matrix = np.eye(4)
    matrix[:3, :3] = scale * rotation
    matrix[:3, 3] = -scale * rotation @ origin
    return Gauge(matrix, metric, (*notes, how))


def level(poses: Matrix) -> Matrix:
    """Unit up: what is square to the horizontals of all pictures, or their mean up where those do not tell."""
    rights, ups = poses[:, :3, 0], -poses[:, :3, 1]
    mean = ups.mean(0)
    mean = mean / np.linalg.norm(mean) if np.linalg.norm(mean) > 0.1 else ups[0] / np.linalg.norm(ups[0])
    sizes, axes = np.linalg.eigh(rights.T @ rights / len(rights))
    square = axes[:, 0] * (1.0 if axes[:, 0] @ mean >= 0 else -1.0)
    tells = sizes[1] > 0.01 and sizes[1] > 4 * sizes[0] and square @ mean > 0.5
    return np.asarray(square if tells else mean)


def looked_at(poses: Matrix) -> Matrix:
    """The point [3] nearest to all optical axes, or ahead of the cameras' middle where they do not meet before them."""
    positions, ahead = poses[:, :3, 3], poses[:, :3, 2]
    across = np.eye(3) - ahead[:, :, None] * ahead[:, None, :]
    point = np.linalg.lstsq(across.sum(0), (across @ positions[..., None]).sum(0)[:, 0], rcond=None)[0]
    depths = ((point - positions) * ahead).sum(1)
    spread = np.linalg.norm(positions - positions.mean(0), axis=1).max()
    if np.median(depths) > 0 and (depths > 0).mean() > 0.7 and np.median(depths) < 50 * max(spread, 1e-9):
        return np.asarray(point)
    return np.asarray(positions.mean(0) + 2 * spread * ahead.mean(0))


def _ground(
    points: Matrix, positions: Matrix, up: Matrix, reach: float, seed: int
) -> tuple[Matrix, float, tuple[str, ...]]:
    """Up, the ground's height along it, and what was assumed."""
    plane = ground_plane(points, positions, up, reach, seed)
    if plane is None:
        height = float(np.percentile(points @ up, 2)) if len(points) else float((positions @ up).min()) - reach
        return up, height, ("up is what the photographs' horizontals have in common; y = 0 is the lowest point found",)
    normal, offset = plane
    tilt = np.degrees(np.arccos(np.clip(normal @ up, -1, 1)))
    if tilt <= LEVEL_TILT_DEG:
        return normal, offset, ("up and y = 0 are those of the largest flat ground found",)
    middle = points[np.abs(points @ normal - offset) < PLANE_THICKNESS * reach].mean(0)
    return up, float(middle @ up), (f"y = 0 lies in the middle of a ground that leans by {tilt:.0f}°",)


def ground_plane(
    points: Matrix, positions: Matrix, up: Matrix, reach: float, seed: int = 0
) -> tuple[Matrix, float] | None:
    """Unit normal [3] and offset of the largest plane below the cameras that lies about level; None without one."""
    if len(points) < 50:
        return None
    rng = np.random.default_rng(seed)
    sample = points[rng.permutation(len(points))[:4000]]
    thick, steepest = PLANE_THICKNESS * reach, np.cos(np.radians(PLANE_TILT_DEG))
    best, most = None, int(PLANE_SHARE * len(sample))
    for unit, corner in _level_planes(sample, up, steepest, rng):
        heights = (sample - corner) @ unit
        inside = int((np.abs(heights) < thick).sum())
        below = float((heights < -4 * thick).mean())
        above = float(((positions - corner) @ unit > 0).mean())
        if inside > most and below < 0.15 and above > 0.9:
            best, most = (unit, float(corner @ unit)), inside
    if best is None:
        return None
    members = points[np.abs(points @ best[0] - best[1]) < thick]
    middle = members.mean(0)
    normal = np.linalg.svd(members - middle, full_matrices=False)[2][2]
    normal = normal * (1.0 if normal @ best[0] >= 0 else -1.0)
    return normal, float(middle @ normal)


def _level_planes(
    points: Matrix, up: Matrix, steepest: float, rng: np.random.Generator
) -> Iterator[tuple[Matrix, Matrix]]:
    """Unit normal and a point of planes through three random points that lie about level."""
    corners = points[rng.integers(0, len(points), (TRIALS, 3))]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    along = normals @ up
    for row in np.nonzero((lengths > 1e-12) & (np.abs(along) >= steepest * lengths))[0][:LEVEL_TRIALS]:
        yield normals[row] / lengths[row] * np.sign(along[row]), corners[row, 0]


def _level_part(direction: Matrix, up: Matrix) -> Matrix:
    flat = direction - up * (direction @ up)
    if np.linalg.norm(flat) < 1e-3:  # cameras all around, or looking straight down: any heading will do
        flat = np.eye(3)[np.argmin(np.abs(up))]
        flat = flat - up * (flat @ up)
    return np.asarray(flat / np.linalg.norm(flat))


def _scale(
    positions: Matrix,
    up: Matrix,
    ground: float,
    reach: float,
    known: KnownLength,
    places_m: Sequence[tuple[float, float, float] | None],
) -> tuple[float, bool, str]:
    """Neutral units for one of the poses, whether those are metres, and a sentence on how it was found."""
    if known.first_to_last_m > 0:
        path = float(np.linalg.norm(positions[-1] - positions[0]))
        if path > 1e-3 * reach:
            return known.first_to_last_m / path, True, "metres are known from the distance of the first and last camera"
    if known.camera_height_m > 0:
        height = float(np.median(positions @ up)) - ground
        if height > 1e-3 * reach:
            return known.camera_height_m / height, True, "metres are known from the height of the cameras"
    by_satellite = scale_from_places(positions, places_m)
    if by_satellite is not None:
        return by_satellite, True, "metres are known from the positions in the photographs, to some percent"
    return (
        1.0 / reach,
        False,
        (
            "how large the scene is cannot be known from photographs: the cameras were put about 1 m from what they "
            "look at; give a known length to have true metres"
        ),
    )


def scale_from_places(positions: Matrix, places_m: Sequence[tuple[float, float, float] | None]) -> float | None:
    """Metres for one unit of `positions` [N, 3], from satellite positions that agree with them; None without such."""
    rows = [index for index, place in enumerate(places_m) if place is not None]
    if len(rows) < PLACES_MIN:
        return None
    there = np.array([places_m[index] for index in rows], np.float64)
    here = positions[rows]
    there, here = there - there.mean(0), here - here.mean(0)
    spread = float(np.sqrt((there**2).sum(1).mean()))
    if spread < PLACES_SPREAD_M or np.allclose(here, 0):
        return None
    left, sizes, right = np.linalg.svd(there.T @ here)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    scale = float((sizes * signs).sum() / (here**2).sum())
    off = there - scale * here @ (left * signs @ right).T
    fits = scale > 0 and float(np.sqrt((off**2).sum(1).mean())) < 0.25 * spread
    return scale if fits else None
