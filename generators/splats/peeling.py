"""What lies behind the edges of a picture with depth: surfaces carried on underneath the nearer ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.radiance.rasterizer.kernels import kernel

SWEEPS = 3
SNAPS = 2
EVENINGS = 14
CLEAR_PX = 2
SLACK_PX = np.float32(3)
"""How much farther than it opens a gap is filled."""
SMEAR_PX = 24.0
"""From here on made-up colours are the mean of their surroundings: what is mirrored far fans out."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Layer:
    """A picture with depth: `colours` [H, W, 3], `disparity` [H, W] in 1/m, `there` bool [H, W] which pixels exist."""

    colours: FloatArray
    disparity: FloatArray
    there: Mask


def snapped(layer: Layer, *, shift_px_m: float, edge_px: float) -> Layer:
    """The layer with every pixel between near and far put on one of them: half-way pixels float between surfaces."""
    disparity = layer.disparity
    for _ in range(SNAPS):
        padded = np.pad(disparity, 1, mode="edge")
        height, width = disparity.shape
        windows = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
        low, high = np.minimum.reduce(windows), np.maximum.reduce(windows)
        edge = (high - low) * np.float32(shift_px_m) > 2 * edge_px
        nearest = np.where(high - disparity < disparity - low, high, low)
        disparity = np.where(edge, nearest, disparity)
    return Layer(layer.colours, disparity, layer.there)


def peeled(front: Layer, layers: int, *, shift_px_m: float, edge_px: float) -> list[Layer]:
    """What is hidden behind `front`: first the farthest surfaces carried on, which close every gap, then the nearest.

    `shift_px_m` is by how many pixels a point of disparity 1/m moves when seen from the farthest side; neighbours that
    come apart by more than `edge_px` are an edge. Fewer layers come back where there is nothing to hide.
    """
    result: list[Layer] = []
    like = edge_px / shift_px_m
    for farthest in (True, False)[:layers]:
        source = carried(front.disparity, front.there, np.float32(shift_px_m), np.float32(edge_px), farthest)
        hidden = source[..., 0] >= 0
        if hidden.any():
            result.append(_filled(front, source, hidden, like))
    return result


def _filled(layer: Layer, source: NDArray[np.int32], hidden: Mask, like: float) -> Layer:
    """The layer with its hidden pixels painted from where they are carried on from."""
    height, width = hidden.shape
    rows, columns = np.nonzero(hidden)
    at = source[rows, columns]
    # Beyond the edge the texture is mirrored, as long as the mirror image lies on the same surface.
    own = layer.disparity[at[:, 0], at[:, 1]]
    away = at - np.stack([rows, columns], -1)
    # The first pixel beside an edge holds some of the nearer thing's colour: what is taken begins farther on.
    beyond = at + CLEAR_PX * np.sign(away) * (2 * np.abs(away) >= np.abs(away).max(axis=1, keepdims=True))
    beyond = np.clip(beyond, 0, [height - 1, width - 1])
    clear = np.abs(layer.disparity[beyond[:, 0], beyond[:, 1]] - own) < like
    at = np.where((clear & layer.there[beyond[:, 0], beyond[:, 1]])[:, None], beyond, at)
    mirrored = np.clip(at + away, 0, [height - 1, width - 1])
    there = np.abs(layer.disparity[mirrored[:, 0], mirrored[:, 1]] - own) < like
    taken = np.where((there & layer.there[mirrored[:, 0], mirrored[:, 1]])[:, None], mirrored, at)
    colours, disparity = layer.colours.copy(), layer.disparity.copy()
    colours[rows, columns] = layer.colours[taken[:, 0], taken[:, 1]]
    disparity[rows, columns] = own
    smooth = colours.copy()
    for _ in range(EVENINGS):
        smooth[rows, columns] = _around(smooth, disparity, like)[rows, columns]
        disparity[rows, columns] = np.minimum(
            _around(disparity[..., None], disparity, like)[rows, columns, 0], own + like
        )
    far = np.sqrt((away * away).sum(axis=1, keepdims=True)) / SMEAR_PX
    colours[rows, columns] += np.clip(far, 0, 1).astype(np.float32) * (smooth - colours)[rows, columns]
    return Layer(colours, disparity, hidden)


def _around(values: FloatArray, disparity: FloatArray, like: float) -> FloatArray:
    """Mean of each pixel and those of its four neighbours that lie about as deep, [H, W, C]."""
    padded = np.pad(values, ((1, 1), (1, 1), (0, 0)), mode="edge")
    depths = np.pad(disparity, 1, mode="edge")
    total, count = values.copy(), np.ones(disparity.shape, np.float32)
    for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
        rows, columns = slice(dy, dy + len(disparity)), slice(dx, dx + disparity.shape[1])
        near = (np.abs(depths[rows, columns] - disparity) < like).astype(np.float32)
        total += padded[rows, columns] * near[..., None]
        count += near
    return np.asarray(total / count[..., None], np.float32)


@kernel
def carried(
    disparity: FloatArray, there: Mask, shift: np.float32, edge: np.float32, farthest: bool
) -> NDArray[np.int32]:
    """Where each pixel's hidden background is carried on from: row and column int32 [H, W, 2], -1 for nothing.

    From the far side of every edge the surface goes on underneath what is nearer, as far as the edge opens when seen
    from the side. Of several the `farthest` wins, or else the nearest in the picture (in sweeps as in Danielsson's
    distance transform).
    """
    height, width = disparity.shape
    source = np.full((height, width, 2), -1, np.int32)
    best = np.full((height, width), np.float32(1e9), np.float32)
    depth = np.full((height, width), np.float32(1e9), np.float32)
    for sweep in range(2 * SWEEPS):
        forward = sweep % 2 == 0
        for n in range(height * width):
            place = n if forward else height * width - 1 - n
            y, x = place // width, place % width
            if not there[y, x]:
                continue
            for k in range(9):
                v, u = y + k // 3 - 1, x + k % 3 - 1
                if k == 4 or v < 0 or v >= height or u < 0 or u >= width or not there[v, u]:
                    continue
                if (disparity[y, x] - disparity[v, u]) * shift > edge:
                    sv, su = np.int32(v), np.int32(u)
                    if farthest and source[v, u, 0] >= 0:
                        sv, su = source[v, u, 0], source[v, u, 1]
                elif source[v, u, 0] >= 0:
                    sv, su = source[v, u, 0], source[v, u, 1]
                else:
                    continue
                own = disparity[sv, su]
                opening = (disparity[y, x] - own) * shift
                far = np.float32((y - sv) * (y - sv) + (x - su) * (x - su))
                reach = opening + SLACK_PX
                if opening <= edge or far > reach * reach:
                    continue
                level = (depth[y, x] - own) * shift if farthest else np.float32(0)
                if level > edge or (level > -edge and far < best[y, x]):
                    best[y, x], depth[y, x] = far, own
                    source[y, x, 0], source[y, x, 1] = sv, su
    return source
