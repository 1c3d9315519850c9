"""Surfaces out of what can be looked at (`render(camera)`) or asked (`function(points)`): the core of this room."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.meshes.depth_views import DepthView
from generators.meshes.evening import evened
from generators.meshes.fusion import Box, fused
from generators.meshes.hole_filling import filled, without_bays
from generators.meshes.isosurface import Check, Surface, blocks_of, isosurface
from generators.meshes.manifold import cut_apart, opened
from generators.meshes.rims import trimmed
from generators.meshes.smoothing import smoothed
from generators.meshes.topology import largest_pieces

TATTERS = 4
"""Rings of triangles within which loose ends are cut off."""
MOUTH = 12.0
"""Bays of the outline whose mouths are at most so many cells wide are closed."""
RIM = 2.0
"""Cells by which outlines are cut back: what is seen last is seen worst."""
REACH, REACH_ROUNDS, REACH_MAX = 8.0, 20, 16.0
"""Cells within which dents are taken out at so many rounds of smoothing; it grows with their root."""
FINAL_ROUNDS = 5
"""Rounds that even the cut."""
CELLS_MAX = 400
"""Samples along the longest side of a dense grid: 64 million floats are 256 MB."""
SLAB_POINTS = 1 << 18


def surface_of_views(
    views: Sequence[DepthView],
    box: Box,
    cells: int,
    *,
    piece_share: float = 0.05,
    hole_edges: int = 300,
    rounds: int = 20,
    check: Check = lambda: None,
) -> tuple[Surface, int, float]:
    """The surface that posed distance pictures agree on, within a box; also how many loose pieces were dropped and the
    cell size in metres.

    Loose ends and pieces smaller than `piece_share` of the largest go, holes of up to `hole_edges` edges and bays are
    closed, dents are taken out as far as `rounds` of smoothing go, and ragged rims are cut even. It is an oriented
    manifold; it has borders where nothing was seen.
    """
    blocks = fused(views, box, cells, check=check)
    surface = isosurface(blocks, check=check)
    check()
    surface, dropped = tidied(surface, piece_share=piece_share, hole_edges=hole_edges, check=check)
    surface, _ = without_bays(surface, MOUTH * blocks.step, check)
    points = smoothed(surface.positions, surface.faces, rounds, hold_border=False, check=check)
    surface = Surface(points, surface.faces)
    if rounds and len(surface.faces):
        reach = min(REACH * math.sqrt(rounds / REACH_ROUNDS), REACH_MAX)
        surface = Surface(evened(surface, reach * blocks.step, blocks.step, check), surface.faces)
    surface, _ = largest_pieces(trimmed(surface, RIM * blocks.step, check), piece_share)
    points = smoothed(surface.positions, surface.faces, min(rounds, FINAL_ROUNDS), hold_border=False, check=check)
    return Surface(points, surface.faces), dropped, blocks.step


def tidied(surface: Surface, *, piece_share: float, hole_edges: int, check: Check) -> tuple[Surface, int]:
    """Without tatters, crumbs and small holes; also how many pieces were dropped."""
    surface = opened(surface, TATTERS, check)
    check()
    surface, dropped = largest_pieces(surface, piece_share)
    check()
    surface, _ = cut_apart(surface)
    check()
    surface, _, _ = filled(surface, hole_edges, check)
    return surface, dropped


def surface_of_function(
    function: Callable[[FloatArray], NDArray[np.floating]],
    box: Box,
    cells: int,
    *,
    level: float = 0.0,
    inside_above: bool = False,
    check: Check = lambda: None,
) -> Surface:
    """Where `function`, given points float32 [P, 3], crosses `level`: distances, or densities with `inside_above`.

    Closed: the box's rim counts as outside. Sampled on a dense grid of at most `CELLS_MAX` a side, slab by slab.
    """
    step = box.longest / max(2, min(cells, CELLS_MAX))
    shape = np.ceil((box.high - box.low) / step).astype(int) + 3
    sign = np.float32(-1 if inside_above else 1)
    grid = np.empty(tuple(shape), np.float32)
    low = box.low - step
    y, z = np.meshgrid(low[1] + step * np.arange(shape[1]), low[2] + step * np.arange(shape[2]), indexing="ij")
    for i in range(shape[0]):
        points = np.stack([np.full(y.size, low[0] + step * i), y.ravel(), z.ravel()], axis=1).astype(np.float32)
        values = np.empty(len(points), np.float32)
        for first in range(0, len(points), SLAB_POINTS):
            check()
            values[first : first + SLAB_POINTS] = function(points[first : first + SLAB_POINTS])
        grid[i] = values.reshape(y.shape) * sign
    outside = np.float32(max(level * sign + step, np.nanmax(np.abs(grid), initial=step)))
    for axis in range(3):
        for end in (0, -1):
            grid[tuple(end if a == axis else slice(None) for a in range(3))] = outside
    check()
    return isosurface(blocks_of(grid, low, step), float(level * sign), check)
