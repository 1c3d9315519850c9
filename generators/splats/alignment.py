"""Moving one cloud onto another that shows part of the same: iterated closest points, with its own doubts.

Each round pairs points with their nearest of like colour and solves for the small motion that brings them onto the
tangent planes there (Chen and Medioni 1991), from coarse to fine. A result is believed only when enough of the cloud
lies on the other and nothing is left free to slide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Splats
from engines.splat_values import colour_from_dc
from generators.splats.clouds import extent, importance, taken
from generators.splats.moving import NOTHING, Similarity, rotation_xyz, turned_about
from generators.splats.neighbours import Check, Neighbours
from generators.splats.surfaces import raw_normals

POINTS = 12_000
COARSE_POINTS = 2500
ROUNDS = 25
REACHES = (0.3, 0.12, 0.05, 0.02)
"""How far apart pairs may be, in radii, level by level; never below a few spacings."""
SPACINGS = 3.0
"""Within so many spacings a point lies on the other cloud."""
CANDIDATES = 4
"""Nearest points among which the one of the most like colour is taken."""
TOWARDS_POINT = 0.05
"""Weight of the distance to the point itself beside that to its plane: colours hold what planes let slide."""
PATTERN = 0.03
"""Deviation of the colours around a point from which on they tell where it is."""
LEAST_OVERLAP = 0.2
FREE = 3e-4
"""A motion whose resistance is below this share of the strongest is free."""
TURNS_DEG = (0, 45, 90, 135, 180, 225, 270, 315)


@dataclass(frozen=True, eq=False)
class Points:
    """A sample of a cloud: `at`, `normals`, `colours` float32 [P, 3], the tree over them and their usual spacing.

    `patterned` [P] is 0 where the neighbours all have one colour, 1 where it tells them apart.
    """

    at: FloatArray
    normals: FloatArray
    colours: FloatArray
    tree: Neighbours
    patterned: FloatArray
    spacing_m: float
    radius_m: float
    centre: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fit:
    """Where a cloud came to lie: the motion, the share of it on the other, the mean distance there, and how firmly."""

    motion: Similarity
    overlap: float
    distance_m: float
    stiffness: float

    @property
    def believable(self) -> bool:
        """Whether the clouds can be taken to lie on each other."""
        return self.overlap >= LEAST_OVERLAP and self.stiffness >= FREE


def points_of(cloud: Splats, rng: np.random.Generator, check: Check) -> Points:
    """A sample by importance without the largest splats, which are background and haze."""
    weights = importance(cloud).astype(np.float64)
    weights = np.minimum(weights, np.quantile(weights, 0.9)) + 1e-30
    count = min(POINTS, len(weights))
    rows = rng.choice(len(weights), count, replace=False, p=weights / weights.sum())
    part = taken(cloud, np.sort(rows))
    tree = Neighbours(part.positions, check)
    distances, near = tree.nearest(min(12, max(count - 1, 1)), check)
    bulk = extent(part)
    colours = np.clip(colour_from_dc(part.sh[:, 0]), 0, 1)
    near = np.maximum(near, 0)
    normals = raw_normals(part, near, check)
    spacing = float(np.median(distances[:, min(2, distances.shape[1] - 1)]))
    patterned = np.clip(colours[near].std(axis=1).mean(axis=1) / np.float32(PATTERN), 0, 1)
    return Points(part.positions, normals, colours, tree, patterned, spacing, bulk.radius_m, bulk.centre)


def aligned(fixed: Points, moving: Points, *, search: bool, rescale: bool, check: Check) -> Fit:
    """The best motion of `moving` onto `fixed`, believable or not."""
    starts = [NOTHING]
    if search:
        growth = fixed.radius_m / max(moving.radius_m, 1e-9) if rescale else 1.0
        for angle in TURNS_DEG:
            turn = turned_about(rotation_xyz(0, angle, 0), moving.centre, growth)
            starts.append(turn.then(Similarity(np.eye(3), 1.0, fixed.centre - moving.centre)))
    best: Fit | None = None
    for start in starts if len(starts) > 1 else []:
        fit = _descended(fixed, moving, start, REACHES[:3], COARSE_POINTS, rescale, check)
        if best is None or fit.overlap > best.overlap:
            best = fit
    first = best.motion if best is not None else NOTHING
    return _descended(fixed, moving, first, REACHES if best is None else REACHES[1:], POINTS, rescale, check)


def _descended(
    fixed: Points,
    moving: Points,
    start: Similarity,
    reaches: tuple[float, ...],
    points: int,
    rescale: bool,
    check: Check,
) -> Fit:
    step = max(1, len(moving.at) // points)
    at, colours = moving.at[::step].astype(np.float64), moving.colours[::step]
    motion, stiffness = start, 0.0
    least = 2 * SPACINGS * max(fixed.spacing_m, moving.spacing_m * motion.scale)
    for reach in reaches:
        for _ in range(ROUNDS):
            check()
            solved = _step(fixed, motion.points(at), colours, max(reach * fixed.radius_m, least), rescale)
            if solved is None:
                break
            small, stiffness = solved
            motion = motion.then(small)
            if rescale:
                scale = float(np.clip(motion.scale, start.scale / 1.5, start.scale * 1.5))
                motion = Similarity(motion.matrix, scale, motion.shift_m)
            turned = np.linalg.norm(small.matrix - np.eye(3))
            if turned * fixed.radius_m + np.linalg.norm(small.points(np.zeros((1, 3)))) < 1e-4 * fixed.radius_m:
                break
    overlap, distance = _agreement(fixed, moving, motion)
    return Fit(motion, overlap, distance, stiffness)


def _pairs(fixed: Points, at: FloatArray, colours: FloatArray) -> tuple[NDArray[np.int32], FloatArray, FloatArray]:
    """For each point the near one of most like colour, the distance to the nearest, and the colour difference."""
    distances, rows = fixed.tree.nearest_to(at, min(CANDIDATES, len(fixed.at)))
    difference = np.abs(fixed.colours[rows] - colours[:, None]).mean(-1)
    penalty = distances / np.maximum(distances[:, :1], np.float32(fixed.spacing_m)) * 0.1 + difference
    chosen = np.argmin(penalty, axis=1)[:, None]
    return (
        np.take_along_axis(rows, chosen, 1)[:, 0],
        distances[:, 0],
        np.take_along_axis(difference, chosen, 1)[:, 0],
    )


def _step(
    fixed: Points, at: FloatArray, colours: FloatArray, reach_m: float, rescale: bool
) -> tuple[Similarity, float] | None:
    """One small motion and how firmly it is held; None when too few pairs are in reach."""
    rows, nearest, difference = _pairs(fixed, at, colours)
    near = nearest < reach_m
    if near.sum() < 12:
        return None
    p, q = at[near].astype(np.float64), fixed.at[rows[near]].astype(np.float64)
    n = fixed.normals[rows[near]].astype(np.float64)
    # Tukey's weight on distance, and colours that differ count little.
    weight = (1 - (nearest[near].astype(np.float64) / reach_m) ** 2) ** 2 * np.exp(-((difference[near] / 0.15) ** 2))
    centre = np.average(p, axis=0, weights=weight + 1e-12)
    size = max(float(np.sqrt(np.average(((p - centre) ** 2).sum(1), weights=weight + 1e-12))), 1e-9)
    local = (p - centre) / size
    unknowns = 7 if rescale else 6
    normal_matrix, right = np.zeros((unknowns, unknowns)), np.zeros(unknowns)
    gap = q - p
    told = TOWARDS_POINT * fixed.patterned[rows[near]]
    for axis, share in ((n, np.ones(len(p))), *((np.eye(3)[i], told) for i in range(3))):
        direction = np.broadcast_to(axis, p.shape)
        row = np.concatenate([np.cross(local, direction), direction], axis=1)
        if rescale:
            row = np.concatenate([row, (local * direction).sum(1, keepdims=True)], axis=1)
        weighted = row * (weight * share)[:, None]
        normal_matrix += weighted.T @ row
        right += weighted.T @ ((gap * direction).sum(1) / size)
    values = np.linalg.eigvalsh(normal_matrix)
    stiffness = float(values[0] / max(values[-1], 1e-30))
    solution = np.linalg.lstsq(normal_matrix + 1e-9 * values[-1] * np.eye(unknowns), right, rcond=None)[0]
    turn = turned_about(_rotation(solution[:3]), centre, 1 + float(solution[6]) if rescale else 1.0)
    return turn.then(Similarity(np.eye(3), 1.0, solution[3:6] * size)), stiffness


def _rotation(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation matrix of an axis times an angle (Rodrigues)."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross), np.float64)


def _agreement(fixed: Points, moving: Points, motion: Similarity) -> tuple[float, float]:
    """The share of points that lie on the other cloud in a like colour, and their mean distance to it."""
    at = motion.points(moving.at)
    rows, nearest, difference = _pairs(fixed, at, moving.colours)
    off_plane = np.abs(((fixed.at[rows] - at) * fixed.normals[rows]).sum(1))
    on = (nearest < SPACINGS * fixed.spacing_m) & (off_plane < fixed.spacing_m) & (difference < 0.25)
    return float(on.mean()), float(nearest[on].mean()) if on.any() else float("inf")
