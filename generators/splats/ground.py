"""Finding the ground under a cloud: the plane that holds much of it and has next to nothing below it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import Splats
from generators.splats.clouds import importance, shortest_axes, weighted_quantile
from generators.splats.moving import Matrix

SAMPLES = 4000
TRIPLES = 600
FLAT = 250
"""Hypotheses that rest on one flat splat each, for grounds that are small."""
THICKNESS = 0.012
"""Half the thickness of the ground, in radii of the cloud."""
LEAST_SHARE, MOST_BELOW = 0.06, 0.12
"""A plane that holds less, or has more below it, is not believed."""


@dataclass(frozen=True)
class Ground:
    """A plane normal · p = offset_m with its unit normal pointing to the cloud; shares are of opacity × area."""

    normal: NDArray[np.float64]
    offset_m: float
    share: float
    below: float

    @property
    def believable(self) -> bool:
        """Whether it looks like a ground at all."""
        return self.share >= LEAST_SHARE and self.below <= MOST_BELOW

    @property
    def tilt_deg(self) -> float:
        """Angle between the normal and +Y."""
        return float(np.degrees(np.arccos(np.clip(self.normal[1], -1, 1))))


def find_ground(cloud: Splats, rng: np.random.Generator, *, within_deg: float) -> Ground:
    """The best ground whose normal is at most so far from +Y; planes nearer to level are preferred.

    A wall, too, has all of its room on one side, which is why the tilt counts.
    """
    points, weights, radius = _sample(cloud, rng)
    normals, through = _hypotheses(cloud, points, rng)
    tolerance = THICKNESS * radius
    best: tuple[float, Ground] | None = None
    for turn in range(3):  # once over all, then twice refined on what the best one holds
        scored = _best(points, weights, normals, through, tolerance, within_deg)
        if scored is None:
            break
        if best is None or scored[0] > best[0]:
            best = scored
        normals, through = _refined(points, weights, best[1], tolerance * (2 - 0.5 * turn))
    if best is None:
        return Ground(np.array([0.0, 1.0, 0.0]), 0.0, 0.0, 1.0)
    return best[1]


def upright(ground: Ground) -> Matrix:
    """The smallest rotation that turns the ground's normal to +Y."""
    normal, up = ground.normal, np.array([0.0, 1.0, 0.0])
    axis, cosine = np.cross(normal, up), float(normal @ up)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-12:
        return np.eye(3) if cosine > 0 else np.diag([1.0, -1.0, -1.0])
    axis /= sine
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.asarray(np.eye(3) + sine * cross + (1 - cosine) * (cross @ cross), np.float64)


def _sample(cloud: Splats, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Points drawn by importance, their equal weights, and the radius that holds nine tenths of them."""
    weights = importance(cloud).astype(np.float64)
    # A few giant splats, such as a sky, would otherwise be drawn again and again.
    weights = np.minimum(weights, np.quantile(weights, 0.98) + 1e-30)
    rows = rng.choice(len(weights), SAMPLES, p=weights / weights.sum())
    points = cloud.positions[rows].astype(np.float64)
    centre = np.median(points, axis=0)
    even = np.full(len(points), 1 / len(points))
    radius = weighted_quantile(np.linalg.norm(points - centre, axis=1), even, 0.8)
    return points, even, max(radius, 1e-9)


def _hypotheses(
    cloud: Splats, points: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit normals [H, 3] and a point on each plane [H, 3]."""
    triples = points[rng.integers(0, len(points), (TRIPLES, 3))]
    cross = np.cross(triples[:, 1] - triples[:, 0], triples[:, 2] - triples[:, 0])
    length = np.linalg.norm(cross, axis=1)
    good = length > 1e-12
    thinness = cloud.scales.min(1) / np.maximum(np.median(cloud.scales, axis=1), np.float32(1e-20))
    flat = np.nonzero(thinness < 0.35)[0]
    chosen = flat[rng.integers(0, len(flat), FLAT)] if len(flat) else np.zeros(0, np.int64)
    axes = shortest_axes(_rows(cloud, chosen)).astype(np.float64) if len(chosen) else np.zeros((0, 3))
    normals = np.concatenate([cross[good] / length[good, None], axes, [[0.0, 1.0, 0.0]] * 16])
    level = points[rng.integers(0, len(points), 16)]
    return normals, np.concatenate([triples[good, 0], cloud.positions[chosen].astype(np.float64), level])


def _rows(cloud: Splats, rows: NDArray[np.int64]) -> Splats:
    return Splats(
        cloud.positions[rows], cloud.rotations[rows], cloud.scales[rows], cloud.opacities[rows], cloud.sh[rows]
    )


def _best(
    points: NDArray[np.float64],
    weights: NDArray[np.float64],
    normals: NDArray[np.float64],
    through: NDArray[np.float64],
    tolerance: float,
    within_deg: float,
) -> tuple[float, Ground] | None:
    """The best of the planes, either side up, and its score."""
    normals, through = np.concatenate([normals, -normals]), np.concatenate([through, through])
    allowed = normals[:, 1] >= np.cos(np.radians(within_deg)) - 1e-12
    normals, through = normals[allowed], through[allowed]
    if len(normals) == 0:
        return None
    offsets = (normals * through).sum(1)
    height = points @ normals.T - offsets
    share = weights @ (np.abs(height) <= tolerance)
    below = weights @ (height < -2 * tolerance)
    level = 0.3 + 0.7 * np.clip(normals[:, 1], 0, 1) ** 2
    score = (share - 1.5 * below) * np.where(share > 1.5 * below, level, 1.0)
    at = int(np.argmax(score))
    return float(score[at]), Ground(normals[at], float(offsets[at]), float(share[at]), float(below[at]))


def _refined(
    points: NDArray[np.float64], weights: NDArray[np.float64], ground: Ground, tolerance: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The plane of least squares through what lies on the ground, as the only hypothesis."""
    on = np.abs(points @ ground.normal - ground.offset_m) <= tolerance
    if on.sum() < 3:
        return ground.normal[None], (ground.normal * ground.offset_m)[None]
    centre = points[on].mean(0)
    _, _, axes = np.linalg.svd(points[on] - centre, full_matrices=False)
    normal = axes[2] * np.sign(axes[2] @ ground.normal or 1.0)
    return normal[None], centre[None]
