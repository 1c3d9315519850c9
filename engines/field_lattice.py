"""Where a field's vertices stand, fields out of dense grids, and a plain picture of one; numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.assets import Array, Field, FloatArray
from engines.errors import UnsuitableAsset
from engines.mesh_view import three_quarter
from engines.shading import backdrop, displayed
from engines.spherical_harmonics import basis, degree_of

BRICK = 4
SPAN = 4.0
"""Side of the lattice's cube in its own space, -2 … 2."""


def contracted(points: Array) -> Array:
    """World points [N, 3], in units of the radius about the centre, in contracted space (|y| < 2)."""
    length = np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1.0)
    return np.asarray(points * (2 - 1 / length) / length)


def expanded(points: Array) -> Array:
    """The inverse of `contracted`; |y| is held below 2 - 1e-4."""
    length = np.linalg.norm(points, axis=1, keepdims=True)
    held = np.clip(length, 1.0, 2 - 1e-4)
    return np.asarray(points / np.maximum(length, 1.0) * np.where(length > 1, 1 / (2 - held), 1.0))


def lattice_vertices(field: Field) -> NDArray[np.int64]:
    """Lattice coordinates int64 [B, 4, 4, 4, 3] of a field's vertices, in the order of its arrays."""
    inside = np.stack(np.meshgrid(*[np.arange(BRICK)] * 3, indexing="ij"), -1)
    return field.bricks.astype(np.int64)[:, None, None, None] * BRICK + inside


def vertex_positions(field: Field) -> FloatArray:
    """World positions float32 [B, 4, 4, 4, 3] in metres of a field's vertices."""
    at = lattice_vertices(field) * (SPAN / field.cells) - SPAN / 2
    flat = at.reshape(-1, 3)
    world = expanded(flat) if field.contracted else flat
    metres = world * field.radius_m + np.array(field.centre_m)
    return np.asarray(metres, np.float32).reshape(at.shape)


def field_from_grid(
    density: Array, sh: Array, *, low_m: tuple[float, float, float], pitch_m: float, name: str = ""
) -> Field:
    """A field of a dense grid: `density` [X, Y, Z] per metre, `sh` [X, Y, Z, K, 3], vertices `pitch_m` apart.

    The first vertex stands at `low_m`. A cell is occupied when light passing through it can lose a thousandth or
    more. Raises `UnsuitableAsset`.
    """
    if density.ndim != 3 or sh.shape[:3] != density.shape or pitch_m <= 0:
        raise UnsuitableAsset(f"density {density.shape} and harmonics {sh.shape} are not one grid of positive pitch")
    n = -(-(max(density.shape) + 1) // BRICK)
    side = n * BRICK
    dense = np.zeros((side,) * 3, np.float32)
    x, y, z = density.shape
    dense[:x, :y, :z] = density
    peak = dense[:-1, :-1, :-1].copy()
    for i, j, k in np.ndindex(2, 2, 2):
        np.maximum(peak, dense[i : side - 1 + i, j : side - 1 + j, k : side - 1 + k], out=peak)
    occupied = np.zeros(dense.shape, np.uint8)
    occupied[:-1, :-1, :-1] = peak * pitch_m > 1e-3
    occupied[x - 1 :] = occupied[:, y - 1 :] = occupied[:, :, z - 1 :] = 0  # no cell reaches beyond the grid
    active = np.zeros(dense.shape, np.bool_)
    for i, j, k in np.ndindex(2, 2, 2):
        active[i:, j:, k:] |= occupied[: side - i, : side - j, : side - k] > 0
    split = (n, BRICK, n, BRICK, n, BRICK)
    needed = active.reshape(split).any((1, 3, 5))
    bricks = np.argwhere(needed).astype(np.int32)
    colours = np.zeros((*dense.shape, *sh.shape[3:]), np.float32)
    colours[:x, :y, :z] = sh

    def cut(values: Array) -> Array:
        blocks = values.reshape(*split, *values.shape[3:])
        return np.ascontiguousarray(np.moveaxis(blocks, (0, 2, 4), (0, 1, 2))[tuple(bricks.T)])

    radius = pitch_m * side / SPAN
    centre = tuple(float(value) + SPAN / 2 * radius for value in low_m)
    return Field(
        bricks=bricks, occupied=cut(occupied), density=cut(dense), sh=cut(colours), cells=side,
        centre_m=(centre[0], centre[1], centre[2]), radius_m=radius, name=name,
    )  # fmt: skip


def field_picture(field: Field, size_px: int) -> NDArray[np.uint8]:
    """Emission and absorption along parallel rays, framed around what is dense near the middle, by nearest vertices."""
    places = np.full((field.cells // BRICK,) * 3, -1, np.int64)
    places[tuple(field.bricks.T)] = np.arange(len(field.bricks))
    centre = np.array(field.centre_m, np.float64)
    at = vertex_positions(field).reshape(-1, 3)
    density = field.density.reshape(-1)
    near = np.linalg.norm(at - centre, axis=1) <= (1 if field.contracted else 4) * field.radius_m
    dense = at[near & (density * field.radius_m > 1) & (density > 0.01 * density.max(initial=0))]
    camera = three_quarter(dense if len(dense) else centre.astype(np.float32) + np.eye(3, dtype=np.float32), size_px)
    radius = size_px * 0.75 / camera.scale
    steps = 192
    offsets = (np.arange(size_px) + 0.5 - size_px / 2) / camera.scale
    plane = offsets[None, :, None] * camera.rotation[0] - offsets[:, None, None] * camera.rotation[1] + camera.centre
    plane = plane.reshape(-1, 3)
    towards = np.asarray(basis(-camera.rotation[2], degree_of(field.sh.shape[4])), np.float32)
    transmitted, result = np.ones(len(plane), np.float32), np.zeros((len(plane), 3), np.float32)
    step_m = 2 * radius / steps
    for step in range(steps):
        point = (plane + camera.rotation[2] * (radius - (step + 0.5) * step_m) - centre) / field.radius_m
        local = contracted(point) if field.contracted else point
        vertex = np.round((local / SPAN + 0.5) * field.cells).astype(np.int64)
        inside = np.flatnonzero(((vertex >= 0) & (vertex < field.cells)).all(axis=1) & (transmitted > 1e-3))
        brick = places[tuple(vertex[inside].T // BRICK)]
        inside, brick = inside[brick >= 0], brick[brick >= 0]
        x, y, z = vertex[inside].T % BRICK
        colour = np.clip(np.einsum("nkc,k->nc", field.sh[brick, x, y, z].astype(np.float32), towards) + 0.5, 0, 1)
        alpha = 1 - np.exp(-np.maximum(field.density[brick, x, y, z], 0) * np.float32(step_m))
        result[inside] += (transmitted[inside] * alpha)[:, None] * colour
        transmitted[inside] *= 1 - alpha
    wall = displayed(backdrop(size_px)).reshape(-1, 3).astype(np.float32) / 255
    whole = np.clip(result + transmitted[:, None] * wall, 0, 1).reshape(size_px, size_px, 3)
    return np.round(whole * 255).astype(np.uint8)
