"""A texture square as a list of texels on the surface, and back; the gaps between charts are filled from their rims."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.meshes.isosurface import Ints
from generators.radiance.rasterizer.kernels import kernel


@dataclass(frozen=True, eq=False)
class Texels:
    """The texels that lie on triangles: `at` int64 [T] row · size + column, row 0 at v = 1; `face` int32 [T];
    `shares` float32 [T, 3] barycentric.
    """

    size_px: int
    at: NDArray[np.int64]
    face: Ints
    shares: FloatArray

    def over(self, values: FloatArray, faces: Ints) -> FloatArray:
        """Values of vertices, float32 [V, C], carried to the texels, float32 [T, C]."""
        corners = faces[self.face]
        out = values[corners[:, 0]] * self.shares[:, :1]
        out += values[corners[:, 1]] * self.shares[:, 1:2]
        out += values[corners[:, 2]] * self.shares[:, 2:]
        return np.asarray(out, np.float32)

    def picture(self, values: FloatArray) -> FloatArray:
        """The texels' values, float32 [T, C], as a picture float32 [size, size, C] with all gaps filled."""
        out = np.zeros((self.size_px * self.size_px, values.shape[1]), np.float32)
        out[self.at] = values
        known = np.zeros(self.size_px * self.size_px, np.bool_)
        known[self.at] = True
        size = self.size_px
        return fill_gaps(out.reshape(size, size, -1), known.reshape(size, size))


def texels_of(uvs: FloatArray, faces: Ints, size_px: int) -> Texels:
    """Every texel whose centre lies on a triangle, or within half a texel of a triangle that covers no centre."""
    owner = np.full((size_px, size_px), -1, np.int32)
    shares = np.zeros((size_px, size_px, 3), np.float32)
    flat = np.stack([uvs[:, 0], 1 - uvs[:, 1]], axis=1).astype(np.float64) * size_px
    _cover(flat, faces, owner, shares)
    at = np.flatnonzero(owner.ravel() >= 0)
    return Texels(size_px, at, owner.ravel()[at], np.ascontiguousarray(shares.reshape(-1, 3)[at]))


@kernel
def _cover(flat: NDArray[np.float64], faces: Ints, owner: Ints, shares: FloatArray) -> None:
    """Mark each texel with the first triangle over its centre; rims half a texel wide go to whoever comes first."""
    size = owner.shape[0]
    for rim in (0.0, 0.71):
        for face in range(len(faces)):
            a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
            ax, ay, bx, by, cx, cy = flat[a, 0], flat[a, 1], flat[b, 0], flat[b, 1], flat[c, 0], flat[c, 1]
            area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
            if area == 0:
                continue
            # Each share falls from 1 to 0 over the triangle's height there, so that many texels outside are `rim` away.
            la = rim * np.hypot(cx - bx, cy - by) / abs(area)
            lb = rim * np.hypot(ax - cx, ay - cy) / abs(area)
            lc = rim * np.hypot(bx - ax, by - ay) / abs(area)
            x0, x1 = max(int(min(ax, bx, cx) - rim - 0.5), 0), min(int(max(ax, bx, cx) + rim + 0.5), size - 1)
            y0, y1 = max(int(min(ay, by, cy) - rim - 0.5), 0), min(int(max(ay, by, cy) + rim + 0.5), size - 1)
            for y in range(y0, y1 + 1):
                for x in range(x0, x1 + 1):
                    if owner[y, x] >= 0:
                        continue
                    px, py = x + 0.5, y + 0.5
                    u = ((bx - px) * (cy - py) - (cx - px) * (by - py)) / area
                    v = ((cx - px) * (ay - py) - (ax - px) * (cy - py)) / area
                    w = 1 - u - v
                    if u < -la or v < -lb or w < -lc:
                        continue
                    u, v, w = max(u, 0.0), max(v, 0.0), max(w, 0.0)
                    total = u + v + w
                    owner[y, x] = face
                    shares[y, x, 0], shares[y, x, 1], shares[y, x, 2] = u / total, v / total, w / total


def fill_gaps(picture: FloatArray, known: NDArray[np.bool_]) -> FloatArray:
    """Unknown texels from known ones nearby, by halving and doubling (Gortler et al. 1996): no seam shows black.

    Mip levels made from the result bleed nothing foreign into the charts either.
    """
    if known.all() or not known.any():
        return picture
    rows, columns = known.shape
    even_rows, even_columns = rows + rows % 2, columns + columns % 2
    weight = np.zeros((even_rows, even_columns, 1), np.float32)
    weight[:rows, :columns, 0] = known
    full = np.zeros((even_rows, even_columns, picture.shape[2]), np.float32)
    full[:rows, :columns] = picture * known[..., None]
    shape = (even_rows // 2, 2, even_columns // 2, 2, -1)
    total = weight.reshape(shape).sum((1, 3))
    mean = full.reshape(shape).sum((1, 3)) / np.maximum(total, 1)
    coarse = fill_gaps(mean, total[..., 0] > 0) if min(total.shape[:2]) > 1 else mean
    doubled = np.repeat(np.repeat(coarse, 2, axis=0), 2, axis=1)[:rows, :columns]
    return np.where(known[..., None], picture, doubled)
